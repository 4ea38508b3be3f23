-- The reports that another observer stands for, from the table shared.
SELECT file, line, sent, received
FROM shared
WHERE is_shared
