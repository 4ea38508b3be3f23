-- How the flows of the table edge_flow were answered for, most records first; flows are those that count; distances in microseconds.
SELECT
    source_method, source_reason, target_method, target_reason,
    count(*) AS records,
    coalesce(sum(flows_of(flow_count)) FILTER (counts), 0) AS flows,
    sum(bytes) AS bytes,
    max(source_distance) AS source_distance,
    max(target_distance) AS target_distance,
    epoch_us(min(start)) AS first_seen,
    epoch_us(max("end")) AS last_seen
FROM edge_flow
GROUP BY source_method, source_reason, target_method, target_reason
ORDER BY records DESC, source_reason, target_reason
