-- Other workloads that held an address of the table edge_flow within a day of one of its flows, the nearest first. away is
-- the time between their range and the nearest of the flows, in microseconds: 0 where it lies in the range. near_flows are
-- those within max_gap.
WITH ends AS (
    SELECT 'source' AS side, source_address AS address, source_workload AS workload, epoch_us(start) AS start FROM edge_flow
    UNION ALL
    SELECT 'target', target_address, target_workload, epoch_us(start) FROM edge_flow
),
others AS (
    SELECT
        side, address, held.network, ends.start, held.workload, held.service,
        greatest(epoch_us(held.start) - ends.start, ends.start - epoch_us(held."end"), 0) AS away
    FROM ends
    JOIN ownership_ranges AS held USING (address)
    WHERE held.workload IS DISTINCT FROM ends.workload
)
SELECT
    side, address, network, workload, any_value(service) AS service,
    min(away) AS away,
    count(DISTINCT start) FILTER (away <= $max_gap::BIGINT) AS near_flows,
    count(*) OVER () AS total
FROM others
WHERE away <= 86400000000
GROUP BY side, address, network, workload
ORDER BY away, side, address, network NULLS FIRST, workload
LIMIT $limit::BIGINT
