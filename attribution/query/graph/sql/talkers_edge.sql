-- The edges that carry most, from the tables edge and node; sent is from source to target.
SELECT
    source, source_node.kind AS source_kind, target, target_node.kind AS target_kind, directed,
    edge.flows, both_ways(bytes_out, bytes_back) AS bytes, bytes_out AS bytes_sent, bytes_back AS bytes_received,
    both_ways(packets_out, packets_back) AS packets,
    CASE WHEN is_unattributed(source_class) OR is_unattributed(target_class) THEN edge.flows ELSE 0 END AS unattributed_flows,
    edge.first_seen, edge.last_seen, count(*) OVER () AS total
FROM edge
JOIN node AS source_node ON source_node.name = source AND source_node.class = source_class
JOIN node AS target_node ON target_node.name = target AND target_node.class = target_class
ORDER BY
    measure($order::VARCHAR, edge.flows, both_ways(bytes_out, bytes_back), both_ways(packets_out, packets_back))
        DESC NULLS LAST,
    edge.flows DESC, source, target, directed DESC
LIMIT coalesce($limit::BIGINT, 9223372036854775807)
