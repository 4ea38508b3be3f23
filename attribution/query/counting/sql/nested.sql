-- The windows of the table ranked in which a shorter window of the same observer lies: a second log of one interface. So does an
-- equal window, but to one with an identity, which is no repeat.
SELECT file, line, sent, received
FROM (
    SELECT
        file, line, sent, received, until, is_identified,
        -- What stands before a window begins no earlier, and of those that begin with it ends no later.
        min(until) OVER (
            PARTITION BY conversation, way, view, network ORDER BY since DESC, until
            GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS first_end_of_shorter,
        min(until) OVER (
            PARTITION BY conversation, way, view, network ORDER BY since DESC, until, file, line
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS first_end
    FROM ranked
    WHERE may_nest AND level > 0
)
WHERE first_end_of_shorter <= until OR (NOT is_identified AND first_end <= until)
