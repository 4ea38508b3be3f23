-- The reports of the table shared with which nothing shares time; whether those of the table one_level, and of levels before it,
-- reach to their start and to their end, give or take $clock_tolerance.
SELECT
    pending.* EXCLUDE (is_shared) REPLACE (
        start_met OR coalesce(
            first.view IS DISTINCT FROM pending.view AND first.reach >= pending.since - $clock_tolerance::BIGINT, false
        ) AS start_met,
        end_met OR coalesce(
            final.view IS DISTINCT FROM pending.view AND final.reach >= pending.until - $clock_tolerance::BIGINT, false
        ) AS end_met
    )
FROM (FROM shared WHERE NOT is_shared) AS pending
ASOF LEFT JOIN one_level AS first
    ON pending.conversation = first.conversation AND pending.way = first.way
    AND pending.since + $clock_tolerance::BIGINT >= first.since
ASOF LEFT JOIN one_level AS final
    ON pending.conversation = final.conversation AND pending.way = final.way
    AND pending.until + $clock_tolerance::BIGINT >= final.since
