-- The nodes to show, from the table node: unattributed ones last, otherwise most bytes first. total says how many there are
-- without the limit. With a limit, which is on edges, only the ends of those in the table edge_ranked; or, where $top_nodes
-- asks for it, as many nodes.
SELECT *, count(*) OVER () AS total
FROM node
WHERE NOT ($attributed_only::BOOLEAN AND is_unattributed(class))
  AND ($limit::BIGINT IS NULL OR $top_nodes::BOOLEAN
       OR EXISTS (FROM edge_ranked WHERE source = node.name AND source_class = node.class)
       OR EXISTS (FROM edge_ranked WHERE target = node.name AND target_class = node.class))
ORDER BY place_in_lists(class), bytes DESC NULLS LAST, flows DESC, name
LIMIT CASE WHEN $top_nodes::BOOLEAN THEN coalesce($limit::BIGINT, 9223372036854775807) ELSE 9223372036854775807 END
