-- The reports that another observer stands for, from the tables shared and pending.
SELECT file, line, sent, received
FROM shared
WHERE is_shared
UNION ALL
SELECT file, line, sent, received
FROM pending
WHERE start_met AND end_met
