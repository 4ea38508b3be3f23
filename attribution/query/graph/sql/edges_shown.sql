-- The edges of the table edge_ranked with their five busiest server ports, how both ends were attributed, and the five observers
-- with most reports.
WITH ports AS (
    SELECT
        source, source_class, target, target_class, directed,
        list({'port': port, 'protocol': protocol, 'flows': flows} ORDER BY place) AS ports
    FROM (
        SELECT
            *,
            row_number() OVER (
                PARTITION BY source, source_class, target, target_class, directed
                ORDER BY flows DESC, port NULLS LAST, protocol NULLS LAST
            ) AS place
        FROM edge_port
        SEMI JOIN edge_ranked USING (source, source_class, target, target_class, directed)
    )
    WHERE place <= 5
    GROUP BY ALL
),
methods AS (
    SELECT
        source, source_class, target, target_class, directed,
        list({'source': source_method, 'target': target_method, 'flows': flows}
             ORDER BY flows DESC, source_method, target_method) AS methods
    FROM (
        SELECT source, source_class, target, target_class, directed, source_method, target_method, sum(reports) AS flows
        FROM oriented
        SEMI JOIN edge_ranked USING (source, source_class, target, target_class, directed)
        GROUP BY ALL
    )
    GROUP BY ALL
),
observers AS (
    SELECT
        source, source_class, target, target_class, directed, max(observer_count) AS observer_count,
        list({'observer': observer, 'end': observed_end, 'reports': reports, 'counted': counted} ORDER BY place) AS observers
    FROM (
        SELECT
            *,
            row_number() OVER (
                PARTITION BY source, source_class, target, target_class, directed
                ORDER BY reports DESC, counted DESC, observer NULLS LAST, observed_end
            ) AS place,
            count(*) OVER (PARTITION BY source, source_class, target, target_class, directed) AS observer_count
        FROM (
            SELECT
                source, source_class, target, target_class, directed, observer,
                CASE WHEN at_source THEN 'source' ELSE 'target' END AS observed_end,
                sum(reports) AS reports, sum(flows) AS counted
            FROM oriented
            SEMI JOIN edge_ranked USING (source, source_class, target, target_class, directed)
            GROUP BY ALL
        )
    )
    WHERE place <= 5
    GROUP BY ALL
)
SELECT edge_ranked.* EXCLUDE (source_class, target_class), ports.ports, methods.methods, observers.observers, observers.observer_count
FROM edge_ranked
JOIN ports USING (source, source_class, target, target_class, directed)
JOIN methods USING (source, source_class, target, target_class, directed)
JOIN observers USING (source, source_class, target, target_class, directed)
ORDER BY
    greatest(place_in_lists(source_class), place_in_lists(target_class)),
    both_ways(bytes_out, bytes_back) DESC NULLS LAST, edge_ranked.flows DESC, source, target, directed DESC
