-- What goes astray, from the table placed_flow, by data centre, pool and policy; the most flows first.
SELECT
    place, data_centre, logged_by, kind, pool, policy, sum(flows_of(flow_count)) AS flows, sum(bytes) AS bytes,
    count(DISTINCT address) AS addresses, count(DISTINCT client_network(client)) AS networks,
    epoch_us(min(start)) AS first_seen, epoch_us(max("end")) AS last_seen
FROM placed_flow
GROUP BY ALL
ORDER BY flows DESC, place
