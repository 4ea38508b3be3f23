-- No report that does not count.
SELECT NULL::UBIGINT AS file, NULL::BIGINT AS line, NULL::BOOLEAN AS sent, NULL::BOOLEAN AS received
WHERE false
