-- The table traffic, each row turned so that it runs from source to target, and both ends named.
--
-- Names: an attributed end is called by its service (or workload, as $by says), an unattributed one by the hostname that
-- the client used (where $hostnames asks for it) or by the reason. An end at an address of a pool, which is nobody's, is
-- called by its pool, or by the one hostname that there is (where $hostnames asks for it). Its class says which of them.
--
-- Direction: from who opened the traffic. Where nobody knows, it is not directed: its ends are put in a fixed order, so
-- that both ends' records fall together.
SELECT
    CASE WHEN forward THEN local_name ELSE remote_name END AS source,
    CASE WHEN forward THEN local_class ELSE remote_class END AS source_class,
    CASE WHEN forward THEN remote_name ELSE local_name END AS target,
    CASE WHEN forward THEN remote_class ELSE local_class END AS target_class,
    opener IS NOT NULL AS directed,
    port, protocol,
    forward AS at_source,
    CASE WHEN forward THEN local_method ELSE remote_method END AS source_method,
    CASE WHEN forward THEN remote_method ELSE local_method END AS target_method,
    CASE WHEN forward THEN local_service ELSE remote_service END AS source_service,
    CASE WHEN forward THEN remote_service ELSE local_service END AS target_service,
    observer, reports, flows,
    CASE WHEN forward THEN bytes_sent ELSE bytes_received END AS bytes_out,
    CASE WHEN forward THEN bytes_received ELSE bytes_sent END AS bytes_back,
    CASE WHEN forward THEN packets_sent ELSE packets_received END AS packets_out,
    CASE WHEN forward THEN packets_received ELSE packets_sent END AS packets_back,
    first_seen, last_seen
FROM (
    SELECT
        *,
        CASE
            WHEN opener IS NOT NULL THEN opener = 'local'
            WHEN local_class <> remote_class THEN local_class < remote_class
            WHEN local_name <> remote_name THEN local_name < remote_name
            ELSE local_first
        END AS forward
    FROM (
        SELECT
            *,
            CASE
                WHEN local_method = 'none' THEN coalesce(local_hostname, local_reason)
                WHEN local_method = 'policy' THEN coalesce(local_hostname, pool_name(local_pool))
                WHEN $by::VARCHAR = 'workload' THEN coalesce(local_workload, local_service)
                ELSE coalesce(local_service, local_workload)
            END AS local_name,
            end_class(local_method, local_hostname) AS local_class,
            CASE
                WHEN remote_method = 'none' THEN coalesce(remote_hostname, remote_reason)
                WHEN remote_method = 'policy' THEN coalesce(remote_hostname, pool_name(remote_pool))
                WHEN $by::VARCHAR = 'workload' THEN coalesce(remote_workload, remote_service)
                ELSE coalesce(remote_service, remote_workload)
            END AS remote_name,
            end_class(remote_method, remote_hostname) AS remote_class
        FROM traffic
    )
)
