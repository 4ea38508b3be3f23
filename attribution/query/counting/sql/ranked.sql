-- The table ways with the place of each report's view in the conversation and way: level 0 was passed on and counts for nothing, of
-- the others the first is believed. A level has one view, in one network.
SELECT
    * EXCLUDE (is_passed_on),
    CASE WHEN is_passed_on THEN 0
         ELSE dense_rank() OVER (PARTITION BY conversation, way ORDER BY is_passed_on, rank, network) END AS level
FROM (
    SELECT
        ways.* EXCLUDE (lacking, is_upper, place, hour), samplers.hour IS NOT NULL AS is_sampled,
        -- Both ways before one before none, before samples, then the log of the lower end, then by name.
        (lacking * 4 + is_sampled::INTEGER * 2 + is_upper::INTEGER) * (1::BIGINT << 32) + place AS rank
    FROM ways
    LEFT JOIN samplers USING (conversation, way, view, hour)
)
