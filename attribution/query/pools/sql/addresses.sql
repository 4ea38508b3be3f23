-- The busiest and the least busy addresses of each pool and policy, from the table address_load: $limit of each; all without.
SELECT *
FROM (
    SELECT
        *,
        row_number() OVER (PARTITION BY pool, policy ORDER BY load DESC NULLS LAST, address_hex(address)) AS place,
        count(*) OVER (PARTITION BY pool, policy) AS total
    FROM (SELECT *, measure($order::VARCHAR, flows, bytes, packets) AS load FROM address_load)
)
WHERE $limit::BIGINT IS NULL OR place <= $limit::BIGINT OR place > total - $limit::BIGINT
ORDER BY pool, policy, place
