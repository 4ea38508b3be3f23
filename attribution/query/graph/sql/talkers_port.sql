-- The server ports that carry most, from the table edge_port; sent is from client to server.
SELECT *, count(*) OVER () AS total
FROM (
    SELECT
        port, protocol,
        sum(flows) AS flows,
        both_ways(sum(bytes_out), sum(bytes_back)) AS bytes,
        sum(bytes_out) AS bytes_sent,
        sum(bytes_back) AS bytes_received,
        both_ways(sum(packets_out), sum(packets_back)) AS packets,
        coalesce(sum(flows) FILTER (is_unattributed(source_class) OR is_unattributed(target_class)), 0) AS unattributed_flows,
        min(first_seen) AS first_seen,
        max(last_seen) AS last_seen
    FROM edge_port
    GROUP BY port, protocol
)
ORDER BY measure($order::VARCHAR, flows, bytes, packets) DESC NULLS LAST, flows DESC, port, protocol
LIMIT coalesce($limit::BIGINT, 9223372036854775807)
