-- The reports of the table pending, and whether one of the table one_level, which is ranked before and is of another view, shares
-- time with them. In two networks that no route of $joined joins, the local end of both is not one.
SELECT
    pending.*,
    coalesce(
        one_level.reach >= pending.shares_from
        AND (
            one_level.view IS NULL
            OR one_level.view <> pending.view AND one_level.rank < pending.rank AND NOT (
                one_level.own_end = pending.own_end AND one_level.network <> pending.network
                AND NOT list_contains($joined::VARCHAR[], one_level.network || ',' || pending.network)
            )
        ),
        false
    ) AS is_shared
FROM (FROM pending WHERE level > $level::BIGINT) AS pending
ASOF LEFT JOIN one_level
    ON pending.conversation = one_level.conversation AND pending.way = one_level.way
    AND pending.shares_to >= one_level.since
