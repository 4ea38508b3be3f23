-- The flows of the table stale_flow that are beyond their bound, or of which none is known.
SELECT *
FROM stale_flow
WHERE coalesce(bound, 'beyond') = 'beyond'
