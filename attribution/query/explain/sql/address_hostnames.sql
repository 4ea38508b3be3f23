-- The names by which clients were told one address, most often told first.
SELECT hostname, count(*) AS answers, count(DISTINCT client_address) AS clients, epoch_us(min(time)) AS first_seen,
    epoch_us(max(time)) AS last_seen
FROM name_bindings
WHERE server_address = $address::VARCHAR
GROUP BY hostname
ORDER BY answers DESC, hostname
