-- Traffic after the end of each policy, from the table agility_stale_flow; the last to end first.
SELECT
    place, data_centre, logged_by, pool, policy, prefix, ended, any_value(ttl) AS ttl, any_value(answers_until) AS answers_until,
    count(*) AS flows, sum(bytes) AS bytes,
    count(*) FILTER (bound = 'answer') AS within_answer,
    count(*) FILTER (bound = 'connection') AS within_connection,
    count(*) FILTER (bound = 'beyond') AS beyond,
    epoch_us(min(start)) AS first_seen, epoch_us(max("end")) AS last_seen
FROM agility_stale_flow
GROUP BY place, data_centre, logged_by, pool, policy, prefix, ended
ORDER BY place
