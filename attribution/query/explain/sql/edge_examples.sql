-- A few flows of each kind in the table edge_flow: those with the oldest evidence, for they are the ones to doubt first.
SELECT * EXCLUDE (place)
FROM (
    SELECT
        source_reason, target_reason, epoch_us(start) AS start, local_address, local_port, remote_address, remote_port,
        source_workload, target_workload, source_distance, target_distance,
        row_number() OVER (
            PARTITION BY source_method, source_reason, target_method, target_reason
            ORDER BY greatest(coalesce(source_distance, -1), coalesce(target_distance, -1)) DESC, start, local_address, local_port
        ) AS place
    FROM edge_flow
)
WHERE place <= $examples::INTEGER
ORDER BY source_reason, target_reason, place
