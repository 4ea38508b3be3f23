-- How many flows came to addresses of the pool space, and which of them no policy in force handed out.
SELECT coalesce(state, 'unpooled') AS state, sum(flows_of(flow_count)) AS flows
FROM pool_ends
WHERE counts
GROUP BY ALL
ORDER BY flows DESC, state
