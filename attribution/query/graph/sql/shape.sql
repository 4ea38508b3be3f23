-- What the flows in the window are like, from small columns, so that sql/traffic.sql leaves out large ones that tell nothing.
SELECT
    -- Somebody is attributed to a workload of no service.
    coalesce(bool_or(local_method NOT IN ('none', 'policy') AND local_service IS NULL), false)
        OR coalesce(bool_or(remote_method NOT IN ('none', 'policy') AND remote_service IS NULL), false) AS nameless,
    -- Some end is at an address of a pool.
    coalesce(bool_or(local_method = 'policy' OR remote_method = 'policy'), false) AS pooled,
    -- Of some flow nobody knows who opened it.
    coalesce(bool_or(opener IS NULL), false) AS undirected
FROM opened
