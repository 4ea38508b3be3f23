-- How many pairs of addresses there are between which a conversation may be reported twice: by several views, or by several
-- windows of one. There are far fewer pairs than conversations. What was passed on is doubtful, too.
SELECT count(*) + (SELECT count(*) FROM passed_on) AS doubts
FROM (
    SELECT pair
    FROM (
        SELECT
            both_hash(hash(own_address), hash(remote_address)) AS pair, hash(observer, hash(own_address)) AS view,
            own_address = remote_address AS is_alike, basis = 'window' AND start < "end" AS is_window
        FROM (SELECT *, coalesce(wire_address, local_address) AS own_address FROM near)
    )
    GROUP BY pair
    HAVING min(view) <> max(view) OR count(*) FILTER (is_window) > 1 OR bool_or(is_alike)
)
