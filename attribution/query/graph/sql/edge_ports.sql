-- Edges by server port, from the table oriented. flows are the reports that count; source_records and target_records are all
-- reports of each end. What only reports that do not count show is shown by others, and is no edge.
SELECT
    source, source_class, target, target_class, directed, port, protocol,
    sum(flows) AS flows,
    sum(bytes_out) AS bytes_out,
    sum(bytes_back) AS bytes_back,
    sum(packets_out) AS packets_out,
    sum(packets_back) AS packets_back,
    sum(reports) FILTER (at_source) AS source_records,
    sum(reports) FILTER (NOT at_source) AS target_records,
    min(first_seen) AS first_seen,
    max(last_seen) AS last_seen
FROM oriented
GROUP BY source, source_class, target, target_class, directed, port, protocol
