-- The flows in the window that pass the filters.
SELECT *
FROM opened
WHERE ($services::VARCHAR IS NULL
       OR regexp_full_match(coalesce(local_service, local_workload), $services::VARCHAR)
       OR regexp_full_match(coalesce(remote_service, remote_workload), $services::VARCHAR))
  AND ($ports::INTEGER[] IS NULL
       OR CASE opener
              WHEN 'local' THEN list_contains($ports::INTEGER[], remote_port)
              WHEN 'remote' THEN list_contains($ports::INTEGER[], local_port)
              ELSE list_contains($ports::INTEGER[], local_port) OR list_contains($ports::INTEGER[], remote_port)
          END)
  AND ($protocols::INTEGER[] IS NULL OR list_contains($protocols::INTEGER[], protocol))
  AND ($regions::VARCHAR IS NULL OR regexp_full_match(region, $regions::VARCHAR))
  AND ($data_centres::VARCHAR IS NULL OR regexp_full_match(data_centre, $data_centres::VARCHAR))
  AND ($methods::VARCHAR[] IS NULL OR list_contains($methods::VARCHAR[], local_method)
       OR list_contains($methods::VARCHAR[], remote_method))
  AND ($reasons::VARCHAR[] IS NULL OR list_contains($reasons::VARCHAR[], local_reason)
       OR list_contains($reasons::VARCHAR[], remote_reason))
