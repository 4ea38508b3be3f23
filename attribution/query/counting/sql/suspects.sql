-- The conversations that may be reported twice: by several views, or by several windows of one. Where all reports measure both
-- ways, or none measures any, what counts one way counts the other, and is_split is false.
SELECT conversation, bool_or(is_split) AS is_split
FROM (
    SELECT conversation, bool_or(measured = 1) AS is_split
    FROM reports
    GROUP BY conversation
    HAVING min(view) <> max(view) OR count(*) FILTER (is_window) > 1
    UNION ALL
    SELECT conversation, true
    FROM passed_on
)
GROUP BY conversation
