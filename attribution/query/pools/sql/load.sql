-- What each address of a pool carried while a policy handed it out.
SELECT
    pool, policy, address, sum(flows_of(flow_count)) AS flows,
    coalesce(sum(flows_of(flow_count)) FILTER (basis = 'connection'), 0) AS connections,
    sum(bytes_counted) AS bytes, sum(packets_counted) AS packets, epoch_us(min(start)) AS first_seen, epoch_us(max("end")) AS last_seen
FROM pool_ends
WHERE counts AND state = 'in_force'
GROUP BY pool, policy, address
