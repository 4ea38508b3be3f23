-- The reports of the table suspects, a row for each way that they measure, and one row for both where these do not differ. level is
-- the place of their view in the conversation and way: level 0 was passed on and counts for nothing, of the others the first is
-- believed. Times in microseconds.
SELECT
    * EXCLUDE (rank, is_passed_on),
    CASE WHEN is_passed_on THEN 0
         ELSE dense_rank() OVER (PARTITION BY conversation, way ORDER BY is_passed_on, rank) END AS level
FROM (
    SELECT
        hash(filename) AS file, file_row_number AS line, conversation, hash(least(own_end, far_end), is_forth) AS way, view,
        epoch_us(start) AS since, epoch_us("end") AS until, is_window, is_sample,
        NOT is_split OR is_forth = (own_end <= far_end) AS sent,
        NOT is_split OR is_forth <> (own_end <= far_end) AS received,
        passed_on.conversation IS NOT NULL AS is_passed_on,
        -- Both ways before one before none, before samples, then the log of the lower end, then by name.
        ((2 - measured) * 4 + is_sample::INTEGER * 2
            + ((own_address, coalesce(own_port, -1)) > (far_address, coalesce(far_port, -1)))::INTEGER)
            * (1::BIGINT << 32) + place AS rank
    FROM reports
    JOIN suspects USING (conversation)
    JOIN observers ON reports.observer IS NOT DISTINCT FROM observers.observer
    LEFT JOIN passed_on USING (conversation, filename, file_row_number)
    JOIN (VALUES (true), (false)) AS ways(is_forth)
        ON CASE WHEN NOT is_split OR measured = 0 THEN is_forth OR is_split
                ELSE CASE WHEN is_forth = (own_end <= far_end) THEN tells_sent ELSE tells_received END END
)
