-- What a node is: class says how it was named, seen whether any evidence of a workload named it.
CREATE OR REPLACE TEMP MACRO node_kind(class, seen, by_what) AS
    CASE WHEN class = 2 THEN 'unattributed' WHEN class = 1 THEN 'hostname' WHEN seen THEN by_what ELSE 'external' END;

-- Both directions together; null only where neither is known.
CREATE OR REPLACE TEMP MACRO both_ways(one, other) AS
    CASE WHEN one IS NULL AND other IS NULL THEN NULL ELSE coalesce(one, 0) + coalesce(other, 0) END;

-- What a list of the largest is ordered by.
CREATE OR REPLACE TEMP MACRO measure(what, flows, bytes, packets) AS
    CASE what WHEN 'flows' THEN flows WHEN 'packets' THEN packets ELSE bytes END;

-- Whether a node's name means this end of a flow: its service, its workload, or, where it is unattributed, the hostname that
-- clients used or what the graph calls the node.
CREATE OR REPLACE TEMP MACRO is_named(wanted, method, service, workload, hostname, reason) AS
    coalesce(CASE WHEN method = 'none' THEN wanted = '(unattributed: ' || reason || ')' OR wanted = coalesce(hostname, '')
                  ELSE wanted = coalesce(service, workload) OR wanted = coalesce(workload, service) END, false);
