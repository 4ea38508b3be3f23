-- The reports that may decide whether those of the window count: these themselves, and what overlaps them. The hive columns
-- choose the files to open.
SELECT *
FROM attributed_flows
WHERE ($near_from_hour::VARCHAR IS NULL OR date || 'T' || hour >= $near_from_hour::VARCHAR)
  AND ($near_to_hour::VARCHAR IS NULL OR date || 'T' || hour <= $near_to_hour::VARCHAR)
  AND ($near_from::TIMESTAMPTZ IS NULL OR "end" >= $near_from::TIMESTAMPTZ)
  AND ($near_to::TIMESTAMPTZ IS NULL OR start < $near_to::TIMESTAMPTZ)
