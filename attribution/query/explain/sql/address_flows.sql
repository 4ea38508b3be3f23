-- How the flows of one address were answered for, on the side on which it stands, by the network that this side was asked
-- in: that of the address, else the view.
SELECT
    network, side, method, reason, service, pool, policy, policy_state, sum(flows_of(flow_count)) AS flows, epoch_us(min(start)) AS first_seen,
    epoch_us(max(start)) AS last_seen
FROM (
    SELECT
        local_network AS network, 'local' AS side, local_method AS method, local_reason AS reason, local_service AS service, local_pool AS pool,
        local_policy AS policy, local_policy_state AS policy_state, flow_count, start
    FROM windowed
    WHERE local_address = $address::VARCHAR
    UNION ALL
    SELECT
        coalesce(remote_network, remote_evidence_network, local_network), 'remote', remote_method, remote_reason, remote_service, remote_pool,
        remote_policy, remote_policy_state, flow_count, start
    FROM windowed
    WHERE remote_address = $address::VARCHAR
)
GROUP BY network, side, method, reason, service, pool, policy, policy_state
ORDER BY network NULLS FIRST, side, flows DESC, method, reason, service, pool, policy, policy_state
