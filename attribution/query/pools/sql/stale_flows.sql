-- The flows that came by a policy that had ended where they were logged, from the table ended_flow: how long after its end,
-- and which bound they keep. An answer may be used for its ttl and name_stretch. A connection is used when it begins; what a
-- window shows may be a connection that was opened connection_lifetime earlier.
SELECT
    *, moment - ended AS since,
    CASE
        WHEN answers_until IS NULL THEN NULL
        WHEN moment - $clock_tolerance::BIGINT <= answers_until THEN 'answer'
        WHEN basis = 'window' AND moment - $clock_tolerance::BIGINT <= answers_until + $connection_lifetime::BIGINT THEN 'connection'
        ELSE 'beyond'
    END AS bound,
    dense_rank() OVER (ORDER BY ended DESC NULLS LAST, pool, policy, logged_by DESC) AS place
FROM (
    SELECT *, ended + ttl + $name_stretch::BIGINT AS answers_until
    FROM ended_flow
    WHERE here
)
