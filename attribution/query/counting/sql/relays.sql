-- Who passed on the traffic of which endpoint, by the clock hour in which the report ends.
SELECT DISTINCT observer, relay_address AS address, own_end AS passed_end, date_trunc('hour', "end") AS hour
FROM reports
WHERE relay_address IS NOT NULL AND observer IS NOT NULL
