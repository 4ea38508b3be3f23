-- The names of one kind that the flows of the window have, and what else of the lake has a name of the kind: a row for
-- each time that a name stands there. `stands_for` is the service of a workload.
SELECT unnest(
    CASE $kind::VARCHAR
        WHEN 'service' THEN [coalesce(local_service, local_workload), coalesce(remote_service, remote_workload)]
        WHEN 'end' THEN [
            coalesce(local_service, local_workload), coalesce(remote_service, remote_workload), local_workload,
            remote_workload, local_hostname, remote_hostname, pool_name(local_pool), pool_name(remote_pool)
        ]
        WHEN 'region' THEN [region]
        WHEN 'data centre' THEN [data_centre]
        WHEN 'pool' THEN list_concat(string_split(local_pool, ','), string_split(remote_pool, ','))
        WHEN 'network' THEN [local_network, remote_network]
        WHEN 'address' THEN [local_address, remote_address]
        WHEN 'local address' THEN [local_address]
        WHEN 'remote address' THEN [remote_address]
    END) AS name, start
FROM windowed
UNION ALL
SELECT pool, NULL FROM policies WHERE $kind::VARCHAR = 'pool'
UNION ALL
SELECT CASE $kind::VARCHAR WHEN 'network' THEN network WHEN 'address' THEN address END, NULL
FROM ownership_ranges
WHERE $kind::VARCHAR IN ('network', 'address')
UNION ALL
SELECT CASE $kind::VARCHAR WHEN 'network' THEN network WHEN 'address' THEN address END, NULL
FROM assignments
WHERE $kind::VARCHAR IN ('network', 'address')
UNION ALL
SELECT network, NULL FROM labels WHERE $kind::VARCHAR = 'network'
UNION ALL
SELECT network, NULL FROM name_bindings WHERE $kind::VARCHAR = 'network'
UNION ALL
SELECT network, NULL FROM policies WHERE $kind::VARCHAR = 'network'
UNION ALL
SELECT nullif(regexp_extract("match", replace($kind::VARCHAR, ' ', '_') || '=([^,]*)', 1), ''), NULL
FROM policies
WHERE $kind::VARCHAR IN ('region', 'data centre')
