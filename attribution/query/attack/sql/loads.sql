-- What each of some addresses carried as a server, whoever's it is. Both ends may log the same traffic: each measure is that of
-- the end that logged more of it.
SELECT address, max(flows) AS flows, coalesce(max(measure($order::VARCHAR, flows, bytes, packets)), 0) AS load
FROM (
    SELECT address, own, count(*) AS flows, sum(bytes) AS bytes, sum(packets) AS packets
    FROM (
        SELECT
            local_address AS address, true AS own, both_ways(bytes_sent, bytes_received) AS bytes,
            both_ways(packets_sent, packets_received) AS packets
        FROM filtered
        WHERE opener IS DISTINCT FROM 'local' AND list_contains($addresses::VARCHAR[], local_address)
        UNION ALL
        SELECT
            remote_address, false, both_ways(bytes_sent, bytes_received), both_ways(packets_sent, packets_received)
        FROM filtered
        WHERE opener IS DISTINCT FROM 'remote' AND list_contains($addresses::VARCHAR[], remote_address)
    )
    GROUP BY ALL
)
GROUP BY address
