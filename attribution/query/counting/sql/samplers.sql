-- The views of the table ways that have nothing but samples of a conversation and way in a clock hour.
SELECT DISTINCT conversation, way, view, hour
FROM ways AS sampled
WHERE is_sample AND NOT EXISTS (
    FROM ways AS whole
    WHERE NOT whole.is_sample AND whole.conversation = sampled.conversation AND whole.way = sampled.way
        AND whole.view = sampled.view AND whole.hour = sampled.hour
)
