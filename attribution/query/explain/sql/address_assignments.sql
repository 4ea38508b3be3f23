-- The assignment events about one address, by network, in order of time.
SELECT DISTINCT network, port, protocol, owner, service, kind, action, epoch_us(time) AS time
FROM assignments
WHERE address = $address::VARCHAR
ORDER BY network NULLS FIRST, time, action DESC, port NULLS FIRST, protocol, owner
