-- The names by which clients were told one address, by the network in which
-- they were told, most often told first.
SELECT network, hostname, count(*) AS answers, count(DISTINCT client_address) AS clients, epoch_us(min(time)) AS first_seen,
    epoch_us(max(time)) AS last_seen
FROM name_bindings
WHERE server_address = $address::VARCHAR
GROUP BY network, hostname
ORDER BY network NULLS FIRST, answers DESC, hostname
