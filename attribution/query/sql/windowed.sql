-- The flows that start in the window. The hive columns date and hour choose the files to open; start decides.
SELECT *
FROM attributed_flows
WHERE ($from_time::TIMESTAMPTZ IS NULL OR start >= $from_time::TIMESTAMPTZ)
  AND ($to_time::TIMESTAMPTZ IS NULL OR start < $to_time::TIMESTAMPTZ)
  AND ($from_date::DATE IS NULL OR date > $from_date::DATE
       OR (date = $from_date::DATE AND hour::INTEGER >= $from_hour::INTEGER))
  AND ($to_date::DATE IS NULL OR date < $to_date::DATE
       OR (date = $to_date::DATE AND hour::INTEGER <= $to_hour::INTEGER))
