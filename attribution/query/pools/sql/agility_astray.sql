-- What goes astray, from the table agility_kept, by data centre, pool and policy; the most flows first.
SELECT
    place, data_centre, logged_by, kind, pool, policy, count(*) AS flows, sum(bytes) AS bytes,
    count(DISTINCT address) AS addresses, count(DISTINCT client_network(client)) AS networks,
    epoch_us(min(start)) AS first_seen, epoch_us(max("end")) AS last_seen
FROM agility_kept
GROUP BY ALL
ORDER BY flows DESC, place
