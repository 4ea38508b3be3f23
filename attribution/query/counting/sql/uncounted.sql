-- The reports near the window that do not count, and for which way: for what their local end sent, or for what it received.
SELECT file, line, bool_or(sent) AS not_sent, bool_or(received) AS not_received
FROM left_out
GROUP BY file, line
