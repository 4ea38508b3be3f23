-- The first and the last level of the table ways.
SELECT min(level) AS first_level, max(level) AS last_level
FROM ways
