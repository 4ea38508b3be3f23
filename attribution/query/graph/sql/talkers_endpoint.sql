-- The addresses or workloads that talk most, by the reports that count. Unattributed endpoints are no workload: they stand under
-- their reason.
WITH ends AS (
    SELECT
        CASE WHEN $by::VARCHAR = 'address' THEN local_address
             WHEN local_method = 'none' THEN local_reason
             WHEN local_method = 'policy' THEN pool_name(local_pool)
             ELSE coalesce(local_workload, local_service) END AS name,
        local_method AS method, local_service AS service,
        CASE WHEN counts_sent THEN bytes_sent END AS bytes_sent,
        CASE WHEN counts_received THEN bytes_received END AS bytes_received,
        packets_counted AS packets, flows_of(flow_count) AS flows,
        local_method = 'none' OR remote_method = 'none' AS unattributed, start, "end"
    FROM counted
    WHERE counts
    UNION ALL
    SELECT
        CASE WHEN $by::VARCHAR = 'address' THEN remote_address
             WHEN remote_method = 'none' THEN remote_reason
             WHEN remote_method = 'policy' THEN pool_name(remote_pool)
             ELSE coalesce(remote_workload, remote_service) END,
        remote_method, remote_service,
        CASE WHEN counts_received THEN bytes_received END,
        CASE WHEN counts_sent THEN bytes_sent END,
        packets_counted, flows_of(flow_count),
        local_method = 'none' OR remote_method = 'none', start, "end"
    FROM counted
    WHERE counts
)
SELECT *, count(*) OVER () AS total
FROM (
    SELECT
        name,
        CASE WHEN NOT bool_or(method <> 'none') THEN 'unattributed'
             WHEN bool_or(method IN ('capture', 'heartbeat')) THEN 'workload'
             WHEN bool_or(method = 'policy') THEN 'pool' ELSE 'external' END AS kind,
        CASE WHEN min(service) = max(service) THEN min(service) END AS service,
        sum(flows) AS flows,
        both_ways(sum(bytes_sent), sum(bytes_received)) AS bytes,
        sum(bytes_sent) AS bytes_sent,
        sum(bytes_received) AS bytes_received,
        sum(packets) AS packets,
        coalesce(sum(flows) FILTER (unattributed), 0) AS unattributed_flows,
        epoch_us(min(start)) AS first_seen,
        epoch_us(max("end")) AS last_seen
    FROM ends
    GROUP BY name, CASE WHEN $by::VARCHAR = 'workload' THEN end_class(method, NULL) END
)
ORDER BY measure($order::VARCHAR, flows, bytes, packets) DESC NULLS LAST, flows DESC, name
LIMIT coalesce($limit::BIGINT, 9223372036854775807)
