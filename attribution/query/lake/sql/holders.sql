-- The addresses that a service, a workload or a hostname had last.
SELECT address
FROM (
    SELECT address, "end" AS seen FROM ownership_ranges WHERE $name::VARCHAR IN (service, workload)
    UNION ALL
    SELECT server_address, time FROM name_bindings WHERE hostname = $name::VARCHAR
)
GROUP BY address
ORDER BY max(seen) DESC, address
LIMIT $limit::BIGINT
