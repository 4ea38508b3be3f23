-- The ends of flows at addresses of the pool space, each seen from there: who the client is, what it sent. An end that opened
-- the flow is no server, and is left out. Of a dispatched end without a pool only the address says that it is of the space:
-- $space are first and last address of its prefixes. counts is false for a report that
-- does not count: who asks what flowed leaves such reports out, who asks who logged it does not.
SELECT *
FROM (
    SELECT
        'server' AS logged_by, data_centre, region, local_address AS address, remote_address AS client, local_pool AS pool,
        local_policy AS policy, local_policy_state AS state, local_reason AS reason, basis, flow_count, start, "end",
        both_ways(bytes_sent, bytes_received) AS bytes, bytes_counted, packets_counted, counts
    FROM counted
    WHERE opener IS DISTINCT FROM 'local'
    UNION ALL
    SELECT
        'client', data_centre, region, remote_address, local_address, remote_pool,
        remote_policy, remote_policy_state, remote_reason, basis, flow_count, start, "end",
        both_ways(bytes_sent, bytes_received), bytes_counted, packets_counted, counts
    FROM counted
    WHERE opener IS DISTINCT FROM 'remote'
)
-- A CASE, so that few addresses are looked up.
WHERE CASE
          WHEN pool IS NOT NULL OR reason = 'unpooled' THEN true
          WHEN reason NOT IN ('dispatched', 'rule_change') THEN false
          ELSE list_contains([address_hex(address) BETWEEN one[1] AND one[2] FOR one IN $space::VARCHAR[][]], true)
      END
  AND ($pools::VARCHAR IS NULL
       OR list_contains([regexp_full_match(one, $pools::VARCHAR) FOR one IN string_split(pool, ',')], true))
