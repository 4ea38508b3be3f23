-- What was passed on counts for nothing.
SELECT file, line, sent, received
FROM ranked
WHERE level = 0
