-- The flows that pass the filters, and for which ways each of them counts. A flow that tells nothing of bytes and packets counts
-- for both or for none.
SELECT
    * EXCLUDE (file, line, not_sent, not_received),
    CASE
        WHEN bytes_sent IS NULL AND packets_sent IS NULL
            THEN bytes_received IS NULL AND packets_received IS NULL AND file IS NULL
        ELSE NOT coalesce(not_sent, false)
    END AS counts_sent,
    CASE
        WHEN bytes_received IS NULL AND packets_received IS NULL
            THEN bytes_sent IS NULL AND packets_sent IS NULL AND file IS NULL
        ELSE NOT coalesce(not_received, false)
    END AS counts_received,
    counts_sent OR counts_received AS counts,
    both_ways(CASE WHEN counts_sent THEN bytes_sent END, CASE WHEN counts_received THEN bytes_received END) AS bytes_counted,
    both_ways(
        CASE WHEN counts_sent THEN packets_sent END, CASE WHEN counts_received THEN packets_received END
    ) AS packets_counted
FROM filtered
LEFT JOIN uncounted ON hash(filename) = file AND file_row_number = line
