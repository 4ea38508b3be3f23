-- All that each data centre logged at addresses of the pool space.
SELECT data_centre, logged_by, sum(flows_of(flow_count)) AS flows, sum(bytes) AS bytes
FROM pool_ends
GROUP BY ALL
