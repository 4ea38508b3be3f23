-- The observers near the window in the order in which they are believed: by name, one without a name last.
SELECT observer, row_number() OVER (ORDER BY observer NULLS LAST) AS place
FROM (SELECT DISTINCT observer FROM near)
