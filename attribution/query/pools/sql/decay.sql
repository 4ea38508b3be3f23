-- How the traffic after the end of each policy falls, from the table stale_flow, in buckets of $bucket microseconds from
-- the end on, or, where $doubling asks for it, each as long as all before it together, the first as long as the ttl where
-- one is known.
SELECT
    place, begin, CASE WHEN $doubling::BOOLEAN AND begin > 0 THEN 2 * begin ELSE begin + width END AS until,
    sum(flows_of(flow_count)) AS flows, sum(bytes) AS bytes, count(DISTINCT client_network(client)) AS networks
FROM (
    SELECT
        *,
        CASE
            WHEN NOT $doubling::BOOLEAN THEN since // width * width
            WHEN since < width THEN 0
            ELSE width * pow(2, floor(log2(since / width)))::BIGINT
        END AS begin
    FROM (
        SELECT
            *,
            CASE WHEN $doubling::BOOLEAN AND max(ttl) OVER (PARTITION BY place) > 0 THEN max(ttl) OVER (PARTITION BY place)
                 ELSE $bucket::BIGINT END AS width
        FROM stale_flow
        WHERE ended IS NOT NULL
    )
)
GROUP BY place, begin, until
ORDER BY place, begin
