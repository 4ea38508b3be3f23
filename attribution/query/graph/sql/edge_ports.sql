-- Edges by server port, from the table oriented. Both ends may log the same traffic: each measure is that of the end that
-- logged more of it, never the sum.
SELECT
    source, source_class, target, target_class, directed, port, protocol,
    greatest(sum(flows) FILTER (at_source), sum(flows) FILTER (NOT at_source)) AS flows,
    greatest(sum(bytes_out) FILTER (at_source), sum(bytes_out) FILTER (NOT at_source)) AS bytes_out,
    greatest(sum(bytes_back) FILTER (at_source), sum(bytes_back) FILTER (NOT at_source)) AS bytes_back,
    greatest(sum(packets_out) FILTER (at_source), sum(packets_out) FILTER (NOT at_source)) AS packets_out,
    greatest(sum(packets_back) FILTER (at_source), sum(packets_back) FILTER (NOT at_source)) AS packets_back,
    sum(flows) FILTER (at_source) AS source_records,
    sum(flows) FILTER (NOT at_source) AS target_records,
    min(first_seen) AS first_seen,
    max(last_seen) AS last_seen
FROM oriented
GROUP BY source, source_class, target, target_class, directed, port, protocol
