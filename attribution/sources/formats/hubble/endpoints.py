"""The two ends of a Hubble event: which of them the observing node has, which cluster they are of, which pod it is.

An endpoint with an ID is one of the observing node: Cilium found it by its address among the node's own endpoints at
that moment, so it is an observation. An endpoint without an ID is a look-up in a cache of the cluster, and no more.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.types import Bool, Column
from attribution.sources.formats.hubble.values import first, number, texts_in
from attribution.sources.records.network_names import cluster_names, qualified
from attribution.sources.records.raw_columns import mask, no_empty, null_where, text


def is_source_local(event: dict[str, Column], replied: Column) -> Bool:
    """Whether the source is of the observing node, by its ID; where both or none are, by the connection's direction.

    `traffic_direction` is that of the connection, so that a reply of an outgoing one comes in. If nothing tells, the
    source is taken for the local side.

    Args:
        event: columns of events.
        replied: whether each is a reply, null where nothing tells.
    """
    source, destination = (_has_id(event, end) for end in ("source", "destination"))
    direction = text(event["traffic_direction"])
    inbound = mask(pc.equal(direction, "INGRESS"))
    outbound = mask(pc.equal(direction, "EGRESS"))
    told = np.where((inbound | outbound) & mask(pc.is_valid(replied)), outbound != mask(replied), True)
    local: Bool = np.where(source != destination, source, told).astype(np.bool_)
    return local


def _has_id(event: dict[str, Column], end: str) -> Bool:
    has_id: Bool = np.asarray(pc.fill_null(number(event[f"{end}_ID"]), 0)) != 0
    return has_id


def pod_of(event: dict[str, Column], end: str) -> dict[str, Column]:
    """Workload and service of a pod of the observing node, null for every other endpoint.

    A host-network pod has no endpoint of its own: its packets are the host's, which has no pod name. A pod goes by its
    UID, as in Kubernetes' own records, or if there is none by cluster, namespace and name.
    """
    name, space = no_empty(event[f"{end}_pod_name"]), no_empty(event[f"{end}_namespace"])
    cluster = pc.coalesce(event[f"{end}_cluster"], event["cluster"])
    foreign = pa.array(~_has_id(event, end))
    in_cluster = qualified(cluster, pc.binary_join_element_wise(space, name, "/"))
    # Without a name it is no pod, whatever else is said of it.
    named = pc.if_else(pc.is_valid(in_cluster), pc.coalesce(no_empty(event[f"{end}_pod_uid"]), in_cluster), in_cluster)
    workload = null_where(foreign, named)
    owners = texts_in(event[f"{end}_workloads"], "name")
    owner = first(pc.list_parent_indices(owners), pc.list_flatten(owners), len(owners))
    service = qualified(cluster, pc.binary_join_element_wise(space, owner, "/"))
    return {"workload": workload, "service": null_where(pc.is_null(workload), service)}


def clusters(event: dict[str, Column], network: str | None) -> dict[str, Column]:
    """Cluster of the observing node and of both ends, null where it is not told or has no name of its own.

    Nodes are named `cluster/node`. That is all that versions before 1.16 tell.
    """
    node = pc.struct_field(pc.extract_regex(text(event["node_name"]), r"^(?P<cluster>[^/]+)/"), ["cluster"])
    found = {f"{end}_cluster": cluster_names(event[f"{end}_cluster_name"]) for end in ("source", "destination")}
    return found | {"cluster": cluster_names(node, network)}
