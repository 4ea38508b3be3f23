-- The reports of the table shared for which nobody stands yet.
SELECT * EXCLUDE (is_shared)
FROM shared
WHERE NOT is_shared
