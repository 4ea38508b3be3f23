-- What each address of a pool carried while a policy handed it out. Both ends may log the same traffic: each measure is that
-- of the ends that logged more of it, never the sum.
SELECT
    pool, policy, address, max(flows) AS flows, max(connections) AS connections, max(bytes) AS bytes, max(packets) AS packets,
    min(first_seen) AS first_seen, max(last_seen) AS last_seen
FROM (
    SELECT
        pool, policy, address, logged_by, count(*) AS flows, count(*) FILTER (basis = 'connection') AS connections,
        sum(bytes) AS bytes, sum(packets) AS packets, epoch_us(min(start)) AS first_seen, epoch_us(max("end")) AS last_seen
    FROM pool_ends
    WHERE state = 'in_force'
    GROUP BY ALL
)
GROUP BY pool, policy, address
