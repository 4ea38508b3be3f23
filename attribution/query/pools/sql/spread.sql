-- How the load is spread over the addresses of each pool and policy, from the table address_load; the busiest pools first. Sums
-- are whole numbers, so that the spread is the same in whatever order they are made.
SELECT
    pool, policy, count(*) AS used, sum(flows) AS flows, sum(connections) AS connections, sum(bytes) AS bytes,
    sum(packets) AS packets, max(load) AS busiest, min(load) AS least, sum(load) AS total, sum(load::HUGEINT * load::HUGEINT) AS squares,
    min(first_seen) AS first_seen, max(last_seen) AS last_seen
FROM (SELECT *, measure($order::VARCHAR, flows, bytes, packets) AS load FROM address_load)
GROUP BY pool, policy
ORDER BY sum(load) DESC NULLS LAST, pool, policy
