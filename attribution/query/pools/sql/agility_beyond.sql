-- The flows of the table agility_stale_flow that are beyond their bound, or of which none is known.
SELECT *
FROM agility_stale_flow
WHERE coalesce(bound, 'beyond') = 'beyond'
