-- Sums of the flows by what matters for the graph; each measure is that of the reports that count for its way. Nothing is turned, named or computed here that can wait until there
-- are few rows: this question reads every flow, and columns that sql/shape.sql found to be of no use are not even read.
SELECT
    local_service,
    CASE WHEN $by::VARCHAR = 'workload' OR ($nameless::BOOLEAN AND local_service IS NULL) THEN local_workload END AS local_workload,
    local_method,
    CASE WHEN local_method = 'none' THEN local_reason END AS local_reason,
    CASE WHEN $pooled::BOOLEAN AND local_method = 'policy' THEN local_pool END AS local_pool,
    CASE WHEN $hostnames::BOOLEAN THEN local_hostname END AS local_hostname,
    remote_service,
    CASE WHEN $by::VARCHAR = 'workload' OR ($nameless::BOOLEAN AND remote_service IS NULL) THEN remote_workload END AS remote_workload,
    remote_method,
    CASE WHEN remote_method = 'none' THEN remote_reason END AS remote_reason,
    CASE WHEN $pooled::BOOLEAN AND remote_method = 'policy' THEN remote_pool END AS remote_pool,
    CASE WHEN $hostnames::BOOLEAN THEN remote_hostname END AS remote_hostname,
    opener,
    -- The server's port; the lower of the two where nobody knows who is the server.
    CASE opener WHEN 'local' THEN remote_port WHEN 'remote' THEN local_port ELSE least(local_port, remote_port) END AS port,
    protocol,
    -- Tells the two views of undirected traffic apart where both ends have one name.
    CASE WHEN $undirected::BOOLEAN AND opener IS NULL THEN local_address <= remote_address END AS local_first,
    observer,
    count(*) AS reports,
    coalesce(sum(flows_of(flow_count)) FILTER (counts), 0) AS flows,
    sum(bytes_sent) FILTER (counts_sent) AS bytes_sent,
    sum(bytes_received) FILTER (counts_received) AS bytes_received,
    sum(packets_sent) FILTER (counts_sent) AS packets_sent,
    sum(packets_received) FILTER (counts_received) AS packets_received,
    epoch_us(min(start)) AS first_seen,
    epoch_us(max("end")) AS last_seen
FROM counted
GROUP BY ALL
