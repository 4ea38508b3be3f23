-- How an end of a flow is named: at an address of a pool by the one hostname there is, or by the pool; by evidence; without
-- evidence by the hostname that the client used, or by the reason. An undirected edge is read from an earlier class to a later.
CREATE TYPE node_class AS ENUM ('name', 'pool', 'evidence', 'hostname', 'unattributed');

CREATE OR REPLACE TEMP MACRO end_class(method, hostname) AS
    (CASE method WHEN 'none' THEN CASE WHEN hostname IS NULL THEN 'unattributed' ELSE 'hostname' END
                 WHEN 'policy' THEN CASE WHEN hostname IS NULL THEN 'pool' ELSE 'name' END
                 ELSE 'evidence' END)::node_class;

-- Whether no evidence names an end of this class.
CREATE OR REPLACE TEMP MACRO is_unattributed(class) AS class IN ('hostname', 'unattributed');

-- Lists are ordered by this first: what is unattributed stands last, what has no hostname either behind it.
CREATE OR REPLACE TEMP MACRO place_in_lists(class) AS
    CASE class WHEN 'hostname' THEN 1 WHEN 'unattributed' THEN 2 ELSE 0 END;

-- What a node is: seen says whether any evidence of a workload named it.
CREATE OR REPLACE TEMP MACRO node_kind(class, seen, by_what) AS
    CASE WHEN class <> 'evidence' THEN class::VARCHAR WHEN seen THEN by_what ELSE 'external' END;

-- Both directions together; null only where neither is known.
CREATE OR REPLACE TEMP MACRO both_ways(one, other) AS
    CASE WHEN one IS NULL AND other IS NULL THEN NULL ELSE coalesce(one, 0) + coalesce(other, 0) END;

-- How many flows a record stands for: the number that the log gives, else one.
CREATE OR REPLACE TEMP MACRO flows_of(flow_count) AS coalesce(nullif(flow_count, 0), 1);

-- What a list of the largest is ordered by.
CREATE OR REPLACE TEMP MACRO measure(what, flows, bytes, packets) AS
    CASE what WHEN 'flows' THEN flows WHEN 'packets' THEN packets ELSE bytes END;

-- What the graph calls the addresses of a pool.
CREATE OR REPLACE TEMP MACRO pool_name(pool) AS 'pool ' || pool;

-- Whether a node's name means this end of a flow: its service, its workload; where it is a pool's, the pool or the name; where
-- it is unattributed, the hostname that clients used or what the graph calls the node.
CREATE OR REPLACE TEMP MACRO is_named(wanted, method, service, workload, pool, hostname, reason) AS
    coalesce(CASE method
                  WHEN 'none' THEN wanted = '(unattributed: ' || reason || ')' OR wanted = coalesce(hostname, '')
                  WHEN 'policy' THEN wanted = pool_name(pool) OR wanted = coalesce(hostname, '')
                  ELSE wanted = coalesce(service, workload) OR wanted = coalesce(workload, service) END, false);

-- An address as 32 hexadecimal digits, IPv4 in ::ffff:0:0/96: text that is in the order of the addresses.
CREATE OR REPLACE TEMP MACRO groups_hex(groups) AS
    CASE WHEN groups = '' THEN ''
         ELSE array_to_string([lpad(part, 4, '0') FOR part IN string_split(groups, ':')], '') END;
CREATE OR REPLACE TEMP MACRO ends_hex(first, last) AS first || repeat('0', 32 - length(first) - length(last)) || last;
CREATE OR REPLACE TEMP MACRO address_hex(address) AS
    CASE WHEN contains(address, ':')
         THEN ends_hex(groups_hex(split_part(address, '::', 1)), groups_hex(split_part(address, '::', 2)))
         ELSE '00000000000000000000ffff' || array_to_string(
             [printf('%02x', part::INTEGER) FOR part IN string_split(address, '.')], '') END;

-- The network of a client, as the first digits of its addresses: /24 of IPv4, /48 of IPv6.
CREATE OR REPLACE TEMP MACRO client_network(address) AS
    substr(address_hex(address), 1, CASE WHEN contains(address, ':') THEN 12 ELSE 30 END);

-- One hash of two, whichever comes first; least and greatest are slow.
CREATE OR REPLACE TEMP MACRO both_hash(one, other) AS hash(xor(one, other), one & other);

-- The address space of a network, where $networks and $spaces say which networks are one: all, if they are null.
CREATE OR REPLACE TEMP MACRO space_of(network, networks, spaces) AS
    CASE WHEN networks IS NULL THEN NULL
         WHEN len(networks) = 0 THEN network
         WHEN list_contains(networks, coalesce(network, '-')) THEN spaces[list_position(networks, coalesce(network, '-'))]
         ELSE network END;
