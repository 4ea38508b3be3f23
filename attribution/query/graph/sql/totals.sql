-- Everything together, from the table edge; records are all reports, from the table oriented.
SELECT
    coalesce(sum(flows), 0) AS flows,
    (SELECT coalesce(sum(reports), 0) FROM oriented) AS records,
    sum(both_ways(bytes_out, bytes_back)) AS bytes,
    sum(both_ways(packets_out, packets_back)) AS packets,
    coalesce(sum(flows) FILTER (is_unattributed(source_class) OR is_unattributed(target_class)), 0) AS unattributed_flows,
    coalesce(sum(both_ways(bytes_out, bytes_back)) FILTER (is_unattributed(source_class) OR is_unattributed(target_class)), 0) AS unattributed_bytes,
    min(first_seen) AS first_seen,
    max(last_seen) AS last_seen
FROM edge
