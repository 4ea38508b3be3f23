-- The flows between two ends as the wire shows them, from either end, those that start nearest to $start first. The end of
-- the asked flow is (address, port), and its far end is (far_address, far_port).
SELECT
    epoch_us(start) AS start, epoch_us("end") AS "end", epoch_us(received::TIMESTAMPTZ) AS received,
    * EXCLUDE (start, "end", received, date, hour, filename, file_row_number, near_address, near_port, other_address, other_port)
FROM (
    SELECT
        *,
        coalesce(wire_address, local_address) AS near_address,
        CASE WHEN wire_address IS NULL THEN local_port ELSE wire_port END AS near_port,
        coalesce(remote_wire_address, remote_address) AS other_address,
        CASE WHEN remote_wire_address IS NULL THEN remote_port ELSE remote_wire_port END AS other_port
    FROM windowed
    WHERE protocol = $protocol::INTEGER
) AS found
WHERE (near_address, near_port, other_address, other_port) IN (
    ($address::VARCHAR, $port::INTEGER, $far_address::VARCHAR, $far_port::INTEGER),
    ($far_address::VARCHAR, $far_port::INTEGER, $address::VARCHAR, $port::INTEGER)
)
ORDER BY abs(epoch_us(found.start) - $start::BIGINT), start, "end", local_address, observer, local_workload
LIMIT $limit::BIGINT
