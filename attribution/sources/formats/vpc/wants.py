"""What attribution wants of AWS flow logs: fields that the default format of version 2 has not."""

from attribution.schema import HEARTBEAT
from attribution.sources.records.wanted import Wanted

#: Transit gateways have fields of their own instead.
_TRANSIT_GATEWAY = ("tgw_id", "tgw_attachment_id")
_GET = "Create a flow log with a custom format that has these fields: the format of a flow log cannot be changed."

WANTS = (
    Wanted(
        name="pkt-srcaddr, pkt-dstaddr",
        told_by=("pkt_srcaddr", "pkt_dstaddr", *_TRANSIT_GATEWAY),
        without="a pod is not told from its node, nor a client from the NAT gateway before it",
        get=_GET,
    ),
    Wanted(
        name="flow-direction",
        told_by=("flow_direction", *_TRANSIT_GATEWAY),
        without="a row does not say which of its two addresses is the local one",
        get=_GET,
    ),
    Wanted(
        name="vpc-id",
        told_by=("flow.local_network",),
        without="VPCs that use one address are not told apart. Evidence that names a VPC answers nothing, unless "
        "`--network` says of which VPC the flows are",
        get=_GET,
    ),
    Wanted(
        name="srcport, dstport, protocol",
        told_by=("flow.remote_port",),
        without="workloads that share an address by port are not told apart",
        get=_GET,
    ),
    Wanted(
        name="interface-id",
        told_by=("flow.observer",),
        without="a row that stands in two files counts twice, and so does what passes a NAT gateway",
        get=_GET,
    ),
    Wanted(
        name="ecs-task-arn, ecs-service-name, ecs-cluster-name",
        told_by=("ecs_task_arn", "ecs_task_id", *_TRANSIT_GATEWAY, HEARTBEAT),
        without="tasks of ECS, if there are any, are no evidence",
        get=_GET.format("these fields (version 7)"),
    ),
)
