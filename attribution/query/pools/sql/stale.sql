-- Traffic after the end of each policy, from the table stale_flow; the last to end first.
SELECT
    place, pool, policy, logged_by, ended, max(ttl) AS ttl, max(answers_until) AS answers_until,
    coalesce(list_sort(list(DISTINCT prefix) FILTER (prefix IS NOT NULL)), []) AS prefixes,
    coalesce(list_sort(list(DISTINCT data_centre) FILTER (data_centre IS NOT NULL)), []) AS data_centres,
    sum(flows_of(flow_count)) AS flows, sum(bytes) AS bytes,
    coalesce(sum(flows_of(flow_count)) FILTER (bound = 'answer'), 0) AS within_answer,
    coalesce(sum(flows_of(flow_count)) FILTER (bound = 'connection'), 0) AS within_connection,
    coalesce(sum(flows_of(flow_count)) FILTER (bound = 'beyond'), 0) AS beyond,
    epoch_us(min(start)) AS first_seen, epoch_us(max("end")) AS last_seen
FROM stale_flow
GROUP BY place, pool, policy, logged_by, ended
ORDER BY place
