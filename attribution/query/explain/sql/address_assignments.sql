-- The assignment events about one address, in order of time.
SELECT DISTINCT port, protocol, owner, service, kind, action, epoch_us(time) AS time
FROM assignments
WHERE address = $address::VARCHAR
ORDER BY time, action DESC, port NULLS FIRST, protocol, owner
