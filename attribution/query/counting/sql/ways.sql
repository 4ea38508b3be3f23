-- The reports of the table suspects, a row for each way that they measure, and one row for both where these do not differ. Times in
-- microseconds.
SELECT
    hash(filename) AS file, file_row_number AS line, conversation, hash(least(own_end, far_end), is_forth) AS way, view, own_end, network,
    epoch_us(start) AS since, epoch_us("end") AS until, epoch_us(start) // 3600000000 AS hour, is_window, is_sample, may_nest, is_identified,
    NOT is_split OR is_forth = (own_end <= far_end) AS sent,
    NOT is_split OR is_forth <> (own_end <= far_end) AS received,
    passed_on.conversation IS NOT NULL AS is_passed_on,
    2 - measured AS lacking, (own_address, coalesce(own_port, -1)) > (far_address, coalesce(far_port, -1)) AS is_upper, place
FROM reports
JOIN suspects USING (conversation)
JOIN observers ON reports.observer IS NOT DISTINCT FROM observers.observer
LEFT JOIN passed_on USING (conversation, filename, file_row_number)
JOIN (VALUES (true), (false)) AS ways(is_forth)
    ON CASE WHEN NOT is_split OR measured = 0 THEN is_forth OR is_split
            ELSE CASE WHEN is_forth = (own_end <= far_end) THEN tells_sent ELSE tells_received END END
