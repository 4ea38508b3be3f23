-- The reports of a translator about its own address, where the table relays has the same traffic as its clients know it.
SELECT DISTINCT conversation, filename, file_row_number
FROM (
    SELECT reports.conversation, filename, file_row_number
    FROM reports
    JOIN relays ON reports.observer = relays.observer AND own_address = address AND far_end = passed_end
        AND date_trunc('hour', "end") = hour
    UNION ALL
    SELECT reports.conversation, filename, file_row_number
    FROM reports
    JOIN relays ON reports.observer = relays.observer AND far_address = address AND own_end = passed_end
        AND date_trunc('hour', "end") = hour
)
