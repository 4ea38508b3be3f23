-- The edges to show, from the tables edge and node: unattributed ends last, otherwise most bytes first. total says how
-- many there are without the limit.
SELECT edge.*, source_node.kind AS source_kind, target_node.kind AS target_kind, count(*) OVER () AS total
FROM edge
JOIN node AS source_node ON source_node.name = source AND source_node.class = source_class
JOIN node AS target_node ON target_node.name = target AND target_node.class = target_class
WHERE NOT ($attributed_only::BOOLEAN AND (is_unattributed(source_class) OR is_unattributed(target_class)))
ORDER BY
    greatest(place_in_lists(source_class), place_in_lists(target_class)),
    both_ways(bytes_out, bytes_back) DESC NULLS LAST, edge.flows DESC, source, target, directed DESC
LIMIT coalesce($limit::BIGINT, 9223372036854775807)
