-- The flows to addresses of the pool space that no policy of the data centre that logged them ever handed out, from the table
-- ended_flow too: policies that ended, and were another data centre's.
SELECT *, dense_rank() OVER (ORDER BY data_centre NULLS LAST, logged_by, kind, pool NULLS LAST, policy NULLS LAST) AS place
FROM (
    SELECT
        data_centre, logged_by, coalesce(state, 'unpooled') AS kind, pool, policy, address, client, flow_count, start, "end", bytes
    FROM pool_ends
    WHERE coalesce(state, 'elsewhere') = 'elsewhere'
    UNION ALL
    SELECT data_centre, logged_by, 'ended_elsewhere', pool, policy, address, client, flow_count, start, "end", bytes
    FROM ended_flow
    WHERE NOT here
)
