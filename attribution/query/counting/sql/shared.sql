-- The reports of the table pending, and whether one of the table one_level, which is ranked before and is of another view, shares
-- time with them.
SELECT
    pending.*,
    coalesce(one_level.view IS DISTINCT FROM pending.view AND one_level.reach >= pending.shares_from, false) AS is_shared
FROM (FROM pending WHERE level > $level::BIGINT) AS pending
ASOF LEFT JOIN one_level
    ON pending.conversation = one_level.conversation AND pending.way = one_level.way
    AND pending.shares_to >= one_level.since
