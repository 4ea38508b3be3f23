"""Which reports count, by the words of the design, report against report and slowly; imports nothing that it judges."""

from datetime import timedelta

HOUR = timedelta(hours=1)
WAYS = ("sent", "received")


def which_count(reports, *, tolerance=timedelta(seconds=1), same_space=lambda network: network, joined=None):
    """For each report, the ways that it counts for: a list of sets of `sent` and `received`.

    Args:
        reports: attributed flows as rows; `start` and `end` are datetimes.
        tolerance: the setting `clock_tolerance`.
        same_space: the address space of a network, by the routes.
        joined: whether a route joins two networks directly; None if no network is asked for.
    """
    ends = [_ends(report, same_space) for report in reports]
    passed_on = {n for n in range(len(reports)) if _is_passed_on(n, reports, ends)}
    by_conversation = {}
    for number, both in enumerate(ends):
        by_conversation.setdefault(frozenset(both), []).append(number)
    counts = []
    for number, report in enumerate(reports):
        others = [n for n in by_conversation[frozenset(ends[number])] if n != number]
        found = {
            way
            for way in _measured(report)
            if number not in passed_on
            and not _stood_for(number, way, others, reports, ends, passed_on, tolerance, joined)
        }
        # What tells nothing of bytes counts whole or not at all.
        counts.append(found if _known(report) or len(found) == 2 else set())
    return counts


def _ends(report, same_space):
    local = (report["wire_address"], report["wire_port"]) if report["wire_address"] else None
    local = local or (report["local_address"], report["local_port"])
    view = report["local_network"]
    return (
        (report["protocol"], same_space(view), *local),
        (
            report["protocol"],
            same_space(view if report["remote_network"] is None else report["remote_network"]),
            report["remote_address"],
            report["remote_port"],
        ),
    )


def _known(report):
    return {way for way in WAYS if report[f"bytes_{way}"] is not None or report[f"packets_{way}"] is not None}


def _measured(report):
    return _known(report) or set(WAYS)


def _way(way, number, ends):
    """The end that sent what a report counts under `sent` or `received`; these words where both ends are one."""
    own, far = ends[number]
    return way if own == far else own if way == "sent" else far


def _is_sample(report):
    return report["basis"] == "export" or (report["basis"] == "window" and report["start"] == report["end"])


def _is_sampled(number, way, reports, ends):
    """Whether all that the report's view has of the conversation and way in its clock hour are samples."""
    source = _way(way, number, ends)
    same = [
        n
        for n in range(len(reports))
        if frozenset(ends[n]) == frozenset(ends[number])
        and _view(n, reports, ends) == _view(number, reports, ends)
        and _hour(reports[n]["start"]) == _hour(reports[number]["start"])
        and source in {_way(w, n, ends) for w in _measured(reports[n])}
    ]
    return all(_is_sample(reports[n]) for n in same)


def _is_window(report):
    return report["basis"] == "window" and report["start"] < report["end"]


def _may_nest(report):
    """Whether a window may be of one of two logs: of a named interface, and of a conversation that its ports tell."""
    own_port = report["local_port"] if report["wire_address"] is None else report["wire_port"]
    told = report["observer"] is not None and own_port is not None and report["remote_port"] is not None
    return told and _is_window(report)


def _view(number, reports, ends):
    return reports[number]["observer"], ends[number][0]


def _rank(number, reports, ends, is_sampled):
    report = reports[number]
    (_, _, address, port), (_, _, far_address, far_port) = ends[number]
    lower = (address, -1 if port is None else port) <= (far_address, -1 if far_port is None else far_port)
    return (-len(_known(report)), is_sampled, not lower, report["observer"] is None, report["observer"] or "")


def _hour(moment):
    return moment.replace(minute=0, second=0, microsecond=0)


def _is_passed_on(number, reports, ends):
    """Whether a translator reports its own address, and in the same hour the same traffic as its clients know it."""
    report = reports[number]
    if report["observer"] is None:
        return False
    for other, that in enumerate(reports):
        if that["relay_address"] is None or that["observer"] != report["observer"]:
            continue
        for own, far in (ends[number], ends[number][::-1]):
            if own[2] == that["relay_address"] and far == ends[other][0] and _hour(that["end"]) == _hour(report["end"]):
                return True
    return False


def _stood_for(number, way, others, reports, ends, passed_on, tolerance, joined):
    report = reports[number]
    source = _way(way, number, ends)
    is_sampled = _is_sampled(number, way, reports, ends)
    before = []
    for other in others:
        that = reports[other]
        its_way = next((w for w in _measured(that) if _way(w, other, ends) == source), None)
        if its_way is None:
            continue
        if other in passed_on:
            before.append(that)
        elif _view(other, reports, ends) == _view(number, reports, ends):
            is_one_log = joined is None or report["local_network"] == that["local_network"]
            if is_one_log and _may_nest(report) and _may_nest(that) and _lies_in(other, number, reports):
                return True
        elif joined is None or not _is_apart(number, other, reports, ends, joined):
            rank = _rank(other, reports, ends, _is_sampled(other, its_way, reports, ends))
            if rank < _rank(number, reports, ends, is_sampled):
                before.append(that)
    start, end = report["start"] - tolerance, report["end"] + tolerance
    if is_sampled:
        start = min(start, _hour(report["start"]))
        end = max(end, _hour(report["start"]) + HOUR - timedelta(microseconds=1))
    return any(that["start"] <= end and that["end"] >= start for that in before)


def _is_apart(number, other, reports, ends, joined):
    """Whether two reports are of one local end by its address, but of two by its network."""
    one, two = reports[number]["local_network"], reports[other]["local_network"]
    return ends[number][0] == ends[other][0] and one != two and not joined(one, two)


def _lies_in(inner, outer, reports):
    """Whether a window lies in another; of two equal ones without an identity, the first in the lake does."""
    one, other = reports[inner], reports[outer]
    inside = other["start"] <= one["start"] and one["end"] <= other["end"]
    equal = (one["start"], one["end"]) == (other["start"], other["end"])
    return inside and (not equal or (inner < outer and other["record_id"] is None))
