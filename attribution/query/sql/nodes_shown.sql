-- The nodes to show, from the table node: unattributed ones last, otherwise most bytes first. With a limit on edges, only
-- the ends of those in the table edge_ranked.
SELECT *
FROM node
WHERE (NOT $attributed_only::BOOLEAN OR class = 0)
  AND ($limit::BIGINT IS NULL
       OR EXISTS (FROM edge_ranked WHERE source = node.name AND source_class = node.class)
       OR EXISTS (FROM edge_ranked WHERE target = node.name AND target_class = node.class))
ORDER BY class, bytes DESC NULLS LAST, flows DESC, name
