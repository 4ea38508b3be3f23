-- The ownership ranges of one address, by network, in order of time.
SELECT
    network, port, last_port, protocol, claim, workload, service, epoch_us(start) AS start, epoch_us("end") AS "end", longest_gap,
    [[epoch_us(hole.start), epoch_us(hole."end")] FOR hole IN holes] AS holes
FROM ownership_ranges
WHERE address = $address::VARCHAR
ORDER BY network NULLS FIRST, start, "end", port NULLS FIRST, last_port NULLS FIRST, protocol, claim NULLS FIRST, workload
