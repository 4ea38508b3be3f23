-- The flows to addresses that policies hand out no longer, each with the record of the table ended_policies that it came by:
-- of the policies that count where it was logged, else of the others, the longest prefix, the last to end. Times in
-- microseconds. Where the lake does not have that record, only the flow.
SELECT * EXCLUDE (flow, length)
FROM (
    SELECT ends.*, epoch_us(ends.start) AS moment, record.prefix, record.length, record.ended, record.ttl, coalesce(record.here, true) AS here
    FROM (SELECT *, row_number() OVER () AS flow FROM pool_ends WHERE state = 'ended') AS ends
    LEFT JOIN (
        -- Whether it counts where the flow was logged is a column rather than a condition: others answer where none does.
        SELECT
            known.*, place.data_centre AS place_centre, place.region AS place_region,
            coalesce(known.data_centre = place.data_centre, true) AND coalesce(known.region = place.region, true) AS here
        FROM ended_policies AS known
        CROSS JOIN (SELECT DISTINCT data_centre, region FROM pool_ends WHERE state = 'ended') AS place
    ) AS record
    ON record.place_centre IS NOT DISTINCT FROM ends.data_centre
       AND record.place_region IS NOT DISTINCT FROM ends.region
       AND list_contains(string_split(ends.pool, ','), record.pool)
       AND list_contains(string_split(ends.policy, ','), record.policy)
       AND address_hex(ends.address) BETWEEN record.first AND record.last
       AND record.ended < epoch_us(ends.start) - $clock_tolerance::BIGINT
    QUALIFY row_number() OVER (
        PARTITION BY flow ORDER BY record.here DESC NULLS LAST, record.length DESC, record.ended DESC, record.ttl DESC NULLS LAST
    ) = 1
)
