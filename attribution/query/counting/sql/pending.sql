-- The reports of the table ways that another observer may stand for, and whether one reaches to their start, and to their end. A
-- sample shares the time of its clock hour.
SELECT
    file, line, conversation, way, sent, received, view, level, since, until,
    CASE WHEN is_sample THEN since // 3600000000 * 3600000000 - 1 ELSE since END AS shares_from,
    CASE WHEN is_sample THEN since // 3600000000 * 3600000000 + 3600000000 ELSE until END AS shares_to,
    false AS start_met, false AS end_met
FROM ways
WHERE level > 0
