-- The flows that a person points at, in order of time. Every condition may be left out.
SELECT
    epoch_us(start) AS start, epoch_us("end") AS "end", epoch_us(received::TIMESTAMPTZ) AS received,
    * EXCLUDE (start, "end", received, date, hour, filename, file_row_number),
    count(*) OVER () AS total
FROM windowed
WHERE ($local_address::VARCHAR IS NULL OR local_address = $local_address::VARCHAR)
  AND ($local_port::INTEGER IS NULL OR local_port = $local_port::INTEGER)
  AND ($remote_address::VARCHAR IS NULL OR remote_address = $remote_address::VARCHAR)
  AND ($remote_port::INTEGER IS NULL OR remote_port = $remote_port::INTEGER)
  AND ($network::VARCHAR IS NULL OR coalesce(local_network, '-') = $network::VARCHAR)
ORDER BY start, "end", local_address, remote_address, local_port, remote_port,
    local_network NULLS FIRST
LIMIT $limit::BIGINT
