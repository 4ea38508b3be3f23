-- A service that a workload is of.
SELECT coalesce(
    max(local_service) FILTER (local_workload = $name::VARCHAR),
    max(remote_service) FILTER (remote_workload = $name::VARCHAR)
) AS service
FROM attributed_flows
WHERE $name::VARCHAR IN (local_workload, remote_workload)
