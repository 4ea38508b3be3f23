-- What each of some addresses carried as a server, whoever's it is, by the reports that count.
SELECT address, flows, coalesce(measure($order::VARCHAR, flows, bytes, packets), 0) AS load
FROM (
    SELECT address, sum(flows_of(flow_count)) AS flows, sum(bytes) AS bytes, sum(packets) AS packets
    FROM (
        SELECT
            local_address AS address, bytes_counted AS bytes, packets_counted AS packets, flow_count
        FROM counted
        WHERE counts AND opener IS DISTINCT FROM 'local' AND list_contains($addresses::VARCHAR[], local_address)
        UNION ALL
        SELECT
            remote_address, bytes_counted, packets_counted, flow_count
        FROM counted
        WHERE counts AND opener IS DISTINCT FROM 'remote' AND list_contains($addresses::VARCHAR[], remote_address)
    )
    GROUP BY address
)
