-- What was passed on counts for nothing.
SELECT file, line, sent, received
FROM ways
WHERE level = 0
