-- The flows that start in the window. The hive columns date and hour, which are text, choose the files to open: only a
-- condition on nothing else does. start decides.
SELECT *
FROM attributed_flows
WHERE ($from_hour::VARCHAR IS NULL OR date || 'T' || hour >= $from_hour::VARCHAR)
  AND ($to_hour::VARCHAR IS NULL OR date || 'T' || hour <= $to_hour::VARCHAR)
  AND ($from_time::TIMESTAMPTZ IS NULL OR start >= $from_time::TIMESTAMPTZ)
  AND ($to_time::TIMESTAMPTZ IS NULL OR start < $to_time::TIMESTAMPTZ)
