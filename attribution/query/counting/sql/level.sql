-- The reports of one level, each with the last end of all that begin no later. What was passed on is of no view: what it overlaps
-- was passed on, too.
SELECT
    conversation, way, CASE WHEN $level::BIGINT > 0 THEN view END AS view, own_end, network, rank, since,
    max(until) OVER (PARTITION BY conversation, way ORDER BY since) AS reach
FROM ranked
WHERE level = $level::BIGINT
