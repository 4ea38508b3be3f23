-- The reports of the table pending for which nobody stands yet.
SELECT *
FROM pending
WHERE NOT (start_met AND end_met)
