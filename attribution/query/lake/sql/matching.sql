-- From when to when the flows with a name that matches start, and whether anything of the lake has such a name.
SELECT epoch_us(min(start)) AS first_seen, epoch_us(max(start)) AS last_seen, count(*) > 0 AS known
FROM named
WHERE regexp_full_match(name, $pattern::VARCHAR)
