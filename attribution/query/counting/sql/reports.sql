-- The reports near the window, each with its two endpoints as hashes. An endpoint is a protocol, a network, an address and a
-- port; the local one is as the wire shows it, for so the others see it. Networks are those of sql/macros.sql's space_of.
SELECT
    *,
    both_hash(own_end, far_end) AS conversation,
    hash(observer, own_end) AS view
FROM (
    SELECT
        filename, file_row_number, start, "end", observer, relay_address, own_address, own_port,
        remote_address AS far_address, remote_port AS far_port,
        hash(own_address, own_port, protocol, space_of(local_network, $networks::VARCHAR[], $spaces::VARCHAR[])) AS own_end,
        hash(
            remote_address, remote_port, protocol,
            space_of(coalesce(remote_network, remote_evidence_network, local_network), $networks::VARCHAR[], $spaces::VARCHAR[])
        ) AS far_end,
        bytes_sent IS NOT NULL OR packets_sent IS NOT NULL AS tells_sent,
        bytes_received IS NOT NULL OR packets_received IS NOT NULL AS tells_received,
        tells_sent::INTEGER + tells_received::INTEGER AS measured,
        -- The very network of the local end, if routes join networks; without routes it is part of own_end.
        CASE WHEN len($networks::VARCHAR[]) > 0 THEN coalesce(local_network, '-') ELSE '' END AS network,
        basis = 'window' AND start < "end" AS is_window,
        basis = 'export' OR (basis = 'window' AND start = "end") AS is_sample,
        -- Of a named interface and two known ports: others may be several conversations.
        is_window AND observer IS NOT NULL AND own_port IS NOT NULL AND far_port IS NOT NULL AS may_nest,
        record_id IS NOT NULL AS is_identified
    FROM (
        SELECT
            *, coalesce(wire_address, local_address) AS own_address,
            CASE WHEN wire_address IS NULL THEN local_port ELSE wire_port END AS own_port
        FROM near
    )
)
