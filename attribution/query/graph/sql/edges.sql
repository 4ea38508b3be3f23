-- The edges of the graph, from the table edge_port.
SELECT
    source, source_class, target, target_class, directed,
    sum(flows) AS flows,
    sum(bytes_out) AS bytes_out,
    sum(bytes_back) AS bytes_back,
    sum(packets_out) AS packets_out,
    sum(packets_back) AS packets_back,
    coalesce(sum(source_records), 0) AS source_records,
    coalesce(sum(target_records), 0) AS target_records,
    count(*) AS port_count,
    min(first_seen) AS first_seen,
    max(last_seen) AS last_seen
FROM edge_port
GROUP BY ALL
HAVING sum(flows) > 0
