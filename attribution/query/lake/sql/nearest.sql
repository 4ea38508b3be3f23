-- The names that are most like a word: those that hold it, those that it holds, and those spelt alike, by Jaro and Winkler
-- or by a letter that is wrong, missing, added or swapped in every four. If there are no more than $few, all names.
SELECT name
FROM (
    SELECT
        name, count(*) OVER () AS total, alike,
        contains(one, word) OR (length(one) > 2 AND contains(word, one)) OR alike >= 0.82
        OR damerau_levenshtein(one, word) <= greatest(1, length(word) // 4) AS is_near
    FROM (
        SELECT name, lower(name) AS one, lower($word::VARCHAR) AS word, jaro_winkler_similarity(one, word) AS alike
        FROM (SELECT DISTINCT name FROM named WHERE name <> '')
    )
)
WHERE is_near OR total <= $few::BIGINT
ORDER BY is_near DESC, alike DESC, name
LIMIT $limit::BIGINT
