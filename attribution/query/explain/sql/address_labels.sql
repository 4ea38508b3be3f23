-- The labels of the prefixes that contain one address; $prefixes are all that could, the longest first.
SELECT DISTINCT network, prefix, service, kind, region
FROM labels
WHERE list_contains($prefixes::VARCHAR[], prefix)
ORDER BY list_position($prefixes::VARCHAR[], prefix), network NULLS FIRST, service, kind, region
