-- The windows of the table ranked in which a shorter or an equal window of the same observer lies: a second log of one interface.
SELECT file, line, sent, received
FROM (
    SELECT
        file, line, sent, received, until,
        -- What stands before a window begins no earlier, and of those that begin with it ends no later.
        min(until) OVER (
            PARTITION BY conversation, way, view, network
            ORDER BY since DESC, until, file, line
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS first_end
    FROM ranked
    WHERE is_window AND level > 0
)
WHERE first_end <= until
