-- The addresses or workloads that talk most. What an endpoint did stands in its own log and in those of its peers: each
-- measure is the larger of the two, never the sum. Unattributed endpoints are no workload: they stand under their reason.
WITH ends AS (
    SELECT
        CASE WHEN $by::VARCHAR = 'address' THEN local_address
             WHEN local_method = 'none' THEN local_reason
             WHEN local_method = 'policy' THEN pool_name(local_pool)
             ELSE coalesce(local_workload, local_service) END AS name,
        local_method AS method, local_service AS service, true AS own,
        bytes_sent, bytes_received, both_ways(packets_sent, packets_received) AS packets,
        local_method = 'none' OR remote_method = 'none' AS unattributed, start, "end"
    FROM filtered
    UNION ALL
    SELECT
        CASE WHEN $by::VARCHAR = 'address' THEN remote_address
             WHEN remote_method = 'none' THEN remote_reason
             WHEN remote_method = 'policy' THEN pool_name(remote_pool)
             ELSE coalesce(remote_workload, remote_service) END,
        remote_method, remote_service, false,
        bytes_received, bytes_sent, both_ways(packets_sent, packets_received),
        local_method = 'none' OR remote_method = 'none', start, "end"
    FROM filtered
),
sums AS (
    SELECT
        name,
        CASE WHEN $by::VARCHAR = 'workload' THEN end_class(method, NULL) END AS class,
        own,
        bool_or(method IN ('capture', 'heartbeat')) AS seen,
        bool_or(method <> 'none') AS attributed,
        bool_or(method = 'policy') AS pooled,
        min(service) AS service,
        min(service) IS DISTINCT FROM max(service) AS several_services,
        count(*) AS flows,
        sum(bytes_sent) AS bytes_sent,
        sum(bytes_received) AS bytes_received,
        sum(packets) AS packets,
        count(*) FILTER (unattributed) AS unattributed_flows,
        epoch_us(min(start)) AS first_seen,
        epoch_us(max("end")) AS last_seen
    FROM ends
    GROUP BY ALL
)
SELECT *, count(*) OVER () AS total
FROM (
    SELECT
        name,
        CASE WHEN NOT bool_or(attributed) THEN 'unattributed' WHEN bool_or(seen) THEN 'workload'
             WHEN bool_or(pooled) THEN 'pool' ELSE 'external' END AS kind,
        CASE WHEN bool_or(several_services) OR min(service) <> max(service) THEN NULL ELSE min(service) END AS service,
        max(flows) AS flows,
        both_ways(max(bytes_sent), max(bytes_received)) AS bytes,
        max(bytes_sent) AS bytes_sent,
        max(bytes_received) AS bytes_received,
        max(packets) AS packets,
        max(unattributed_flows) AS unattributed_flows,
        min(first_seen) AS first_seen,
        max(last_seen) AS last_seen
    FROM sums
    GROUP BY name, class
)
ORDER BY measure($order::VARCHAR, flows, bytes, packets) DESC NULLS LAST, flows DESC, name
LIMIT coalesce($limit::BIGINT, 9223372036854775807)
