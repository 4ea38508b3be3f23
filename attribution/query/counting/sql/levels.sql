-- The first and the last level of the table ranked.
SELECT min(level) AS first_level, max(level) AS last_level
FROM ranked
