-- The reports of the table ranked that another observer may stand for, and the time that they share with what is ranked before:
-- their own, give or take $clock_tolerance, and for a sampler's the clock hour.
SELECT
    file, line, conversation, way, sent, received, view, own_end, network, rank, level,
    CASE WHEN is_sampled THEN least(since // 3600000000 * 3600000000, since - $clock_tolerance::BIGINT)
         ELSE since - $clock_tolerance::BIGINT END AS shares_from,
    CASE WHEN is_sampled THEN greatest(since // 3600000000 * 3600000000 + 3599999999, until + $clock_tolerance::BIGINT)
         ELSE until + $clock_tolerance::BIGINT END AS shares_to
FROM ranked
WHERE level > 0
