-- The networks that most flows of each place of the table placed_flow come from.
SELECT place, network, flows, bytes, first_seen, last_seen
FROM (
    SELECT
        *, row_number() OVER (PARTITION BY place ORDER BY flows DESC, network) AS number
    FROM (
        SELECT
            place, client_network(client) AS network, sum(flows_of(flow_count)) AS flows, sum(bytes) AS bytes,
            epoch_us(min(start)) AS first_seen, epoch_us(max("end")) AS last_seen
        FROM placed_flow
        GROUP BY ALL
    )
)
WHERE number <= $limit::BIGINT
ORDER BY place, number
