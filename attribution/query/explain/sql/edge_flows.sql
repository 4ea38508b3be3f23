-- The flows of one edge, turned to run from source to target. An end is meant by any name that the graph may
-- give its node.
SELECT
    at_source, start, "end", local_address, local_port, remote_address, remote_port,
    CASE WHEN at_source THEN local_method ELSE remote_method END AS source_method,
    CASE WHEN at_source THEN local_reason ELSE remote_reason END AS source_reason,
    CASE WHEN at_source THEN local_distance ELSE remote_distance END AS source_distance,
    CASE WHEN at_source THEN local_workload ELSE remote_workload END AS source_workload,
    CASE WHEN at_source THEN local_address ELSE remote_address END AS source_address,
    CASE WHEN at_source THEN remote_method ELSE local_method END AS target_method,
    CASE WHEN at_source THEN remote_reason ELSE local_reason END AS target_reason,
    CASE WHEN at_source THEN remote_distance ELSE local_distance END AS target_distance,
    CASE WHEN at_source THEN remote_workload ELSE local_workload END AS target_workload,
    CASE WHEN at_source THEN remote_address ELSE local_address END AS target_address,
    counts, flow_count, bytes_counted AS bytes
FROM (
    SELECT
        *,
        opener IS DISTINCT FROM 'remote'
            AND is_named($source::VARCHAR, local_method, local_service, local_workload, local_pool, local_hostname, local_reason)
            AND is_named($target::VARCHAR, remote_method, remote_service, remote_workload, remote_pool, remote_hostname, remote_reason) AS at_source,
        opener IS DISTINCT FROM 'local'
            AND is_named($source::VARCHAR, remote_method, remote_service, remote_workload, remote_pool, remote_hostname, remote_reason)
            AND is_named($target::VARCHAR, local_method, local_service, local_workload, local_pool, local_hostname, local_reason) AS at_target
    FROM counted
)
WHERE at_source OR at_target
