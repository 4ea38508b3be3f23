-- The nodes that talk most, from the table node.
SELECT
    name, kind, flows, bytes, bytes_sent, bytes_received, both_ways(packets_sent, packets_received) AS packets,
    unattributed_flows, first_seen, last_seen, count(*) OVER () AS total
FROM node
ORDER BY measure($order::VARCHAR, flows, bytes, packets) DESC NULLS LAST, flows DESC, name
LIMIT coalesce($limit::BIGINT, 9223372036854775807)
