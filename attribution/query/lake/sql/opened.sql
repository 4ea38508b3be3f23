-- The flows in the window, with who opened each: 'local', 'remote', or null where nobody knows.
--
-- Who opened a flow is known where the log says so. On a window with traffic one way only, direction says who sent it,
-- which is no more than the byte counts say; so it does on a connection of which only one way is counted at all, for its
-- other way is a record of its own (NetObserv). A record that says how many flows it stands for is of flows that were opened
-- one way.
SELECT
    *,
    CASE
        WHEN direction IS NOT NULL AND (
            ((basis = 'connection' OR flow_count IS NOT NULL) AND (bytes_sent IS NULL) = (bytes_received IS NULL))
            OR (bytes_sent > 0 AND bytes_received > 0)
        )
            THEN CASE direction WHEN 'egress' THEN 'local' ELSE 'remote' END
        WHEN NOT $clients_by_port::BOOLEAN THEN NULL
        -- A privileged port serves one that is not; any other port below Linux's ephemeral ones serves those.
        WHEN (remote_port < 1024 AND local_port >= 1024) OR (remote_port < 32768 AND local_port >= 32768)
            THEN 'local'
        WHEN (local_port < 1024 AND remote_port >= 1024) OR (local_port < 32768 AND remote_port >= 32768)
            THEN 'remote'
    END AS opener
FROM windowed
