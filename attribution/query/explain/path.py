"""The path to an answer: what was asked in turn, what each step said, and why the others were not asked."""

from collections.abc import Iterator
from dataclasses import dataclass

from attribution.core.addressing.sockets import PortRange
from attribution.core.reasons import CLOSED, REASONS
from attribution.core.timeline.answer import AskedKey, Held
from attribution.query.explain.far_end import FarEnd
from attribution.query.explain.verdict import Verdict
from attribution.query.lake.protocols import port_name

_NOT_ASKED = "not asked"
#: Reasons that no heartbeat gives.
_BY_EVENTS = ("assigned", "assignment_change", "prefix")
_BY_RULES = ("dispatched", "rule_change")


@dataclass(frozen=True)
class PathStep:
    """One step.

    Attributes:
        asked: what: the log, the time of the record, networks, heartbeats, reports of both ends, socket rules,
            policies, or events and labels. Heartbeats are those of a key.
        result: a reason of `attribution.core.reasons`, or `not asked`. Of reports of both ends it may also be an
            outcome of `attribution.query.explain.far_end`.
        meaning: the same in a sentence.
    """

    asked: str
    result: str
    meaning: str


def path_of(verdict: Verdict | None, reason: str, far_end: FarEnd | None = None) -> tuple[PathStep, ...]:
    """The steps to an answer.

    Args:
        verdict: what the rules make of the lake's ranges; None where the log itself named the workload.
        reason: that of the answer.
        far_end: what the reports of both ends say; None where they are not asked.
    """
    if verdict is None:
        return (PathStep("log", "reported", REASONS["reported"]),)
    if verdict.pooled:
        return tuple(_pooled(reason))
    answer = verdict.ownership
    if answer.reason == "untimed":
        return tuple(_untimed())
    if answer.reason in CLOSED:
        return tuple(_left_open(answer.reason))
    steps = [PathStep(_asked_of(step), *_said(step.reason)) for step in answer.steps]
    if answer.steps and answer.steps[-1].socket is not None:
        meaning = "Evidence of the port itself counts, and decides whatever it says."
        steps.append(PathStep(f"heartbeats of {held_name(None)}", _NOT_ASKED, meaning))
    if far_end is not None:
        result = {"named": "both_ends"}.get(far_end.outcome, far_end.outcome)
        steps.append(PathStep("reports of both ends", result, far_end.meaning))
    if reason in _BY_RULES:
        steps.append(PathStep("socket rules", reason, REASONS[reason]))
    elif answer.reason == "unknown" or reason in _BY_EVENTS:
        steps.append(PathStep("events and labels", reason, REASONS[reason]))
    else:
        meaning = "Heartbeats of the address count, so it is a workload's: events and labels never name it."
        steps.append(PathStep("events and labels", _NOT_ASKED, meaning))
    return tuple(steps)


def _untimed() -> Iterator[PathStep]:
    """The steps for a flow that does not show when it was."""
    yield PathStep("time of the record", "untimed", REASONS["untimed"])
    yield PathStep("heartbeats", _NOT_ASKED, "It is not known for when to ask them.")
    yield PathStep("events and labels", _NOT_ASKED, "It is not known for when to ask them.")


def _left_open(reason: str) -> Iterator[PathStep]:
    """The steps for an address of which networks leave open who is meant."""
    yield PathStep("networks", reason, REASONS[reason])
    yield PathStep("heartbeats", _NOT_ASKED, "Networks leave open whose evidence answers.")
    yield PathStep("events and labels", _NOT_ASKED, "Networks leave open whose address it is: nothing else names it.")


def _pooled(reason: str) -> Iterator[PathStep]:
    """The steps for an address that policies hand out."""
    yield PathStep("heartbeats", _NOT_ASKED, "Policies hand the address out, so it is no workload's.")
    if reason in _BY_RULES:
        yield PathStep("socket rules", reason, REASONS[reason])
        return
    yield PathStep("socket rules", "unknown", "No rule is for the address and port.")
    yield PathStep("policies", reason, REASONS[reason])


def held_name(held: Held) -> str:
    """What evidence is about, as a person reads it."""
    if held is None:
        return "the whole address"
    if isinstance(held, PortRange):
        return f"ports {port_name(held.port, held.protocol, held.last_port)}"
    return f"port {port_name(held.port, held.protocol)}"


def _asked_of(step: AskedKey) -> str:
    if step.claim is not None:
        return f"connections opened from {held_name(step.socket)}"
    return f"heartbeats of {held_name(step.socket)}"


def _said(reason: str) -> tuple[str, str]:
    return reason, "Nothing counts for it." if reason == "unknown" else REASONS[reason]
