-- The nodes of the graph, from the tables edge and oriented: what each sent and received, and how much of it has an
-- unattributed end. An edge from a node to itself counts its flows once and its bytes both ways.
WITH ends AS (
    SELECT
        source AS name, source_class AS class, target AS peer, target_class AS peer_class, flows,
        CASE WHEN source = target AND source_class = target_class
             THEN both_ways(bytes_out, bytes_back) ELSE bytes_out END AS bytes_sent,
        CASE WHEN source = target AND source_class = target_class
             THEN both_ways(bytes_out, bytes_back) ELSE bytes_back END AS bytes_received,
        CASE WHEN source = target AND source_class = target_class
             THEN both_ways(packets_out, packets_back) ELSE packets_out END AS packets_sent,
        CASE WHEN source = target AND source_class = target_class
             THEN both_ways(packets_out, packets_back) ELSE packets_back END AS packets_received,
        both_ways(bytes_out, bytes_back) AS bytes,
        first_seen, last_seen
    FROM edge
    UNION ALL
    SELECT
        target, target_class, source, source_class, flows,
        bytes_back, bytes_out, packets_back, packets_out,
        both_ways(bytes_out, bytes_back), first_seen, last_seen
    FROM edge
    WHERE NOT (source = target AND source_class = target_class)
),
evidence AS (
    -- One name may be seen as a workload's and as a label's: it is one node, and evidence of a workload says what it is.
    SELECT name, class, 
        -- A socket rule names a service by what it is told to do, but no workload.
        bool_or(method IN ('capture', 'heartbeat') OR (method = 'socket_rule' AND $by::VARCHAR = 'service')) AS seen,
        min(service) AS service
    FROM (
        SELECT source AS name, source_class AS class, source_method AS method, source_service AS service FROM oriented
        UNION ALL
        SELECT target, target_class, target_method, target_service FROM oriented
    )
    GROUP BY ALL
)
SELECT
    name, class,
    node_kind(class, bool_or(seen), $by::VARCHAR) AS kind,
    CASE WHEN $by::VARCHAR = 'workload' THEN any_value(service) END AS service,
    sum(flows) AS flows,
    sum(bytes) AS bytes,
    sum(bytes_sent) AS bytes_sent,
    sum(bytes_received) AS bytes_received,
    sum(packets_sent) AS packets_sent,
    sum(packets_received) AS packets_received,
    coalesce(sum(flows) FILTER (is_unattributed(class) OR is_unattributed(peer_class)), 0) AS unattributed_flows,
    coalesce(sum(bytes) FILTER (is_unattributed(class) OR is_unattributed(peer_class)), 0) AS unattributed_bytes,
    count(DISTINCT (peer, peer_class)) AS peers,
    min(first_seen) AS first_seen,
    max(last_seen) AS last_seen
FROM ends
JOIN evidence USING (name, class)
GROUP BY name, class
