"""Which name an attack is after, worked out from the flows of a lake and the plan of a search."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from attribution.config import SECOND
from attribution.errors import QueryError
from attribution.query.attack.kary_search import OUTCOMES, Outcome, Reading, Search, count
from attribution.query.attack.loads import Background, LoadMeter, LoadSample
from attribution.query.attack.name_file import NameFile
from attribution.query.attack.plan import AttackPlan, PlannedStep
from attribution.query.lake.flows import Measure
from attribution.query.lake.selection import EVERY_FLOW, Selection
from attribution.query.lake.session import LakeSession, opened
from attribution.query.lake.times import to_microseconds
from attribution.query.lake.window import Window

#: What `waiting` means, beside the outcomes of a search.
WAITING = "The last step was not looked at for long enough yet."
#: Names that an answer lists.
_LISTED = 20


@dataclass(frozen=True, kw_only=True)
class StepRead:
    """What one step of a plan shows.

    Attributes:
        number: 1 for the first.
        start: when its answers began to be given.
        observed: the time looked at, after the answers of before had expired.
        parts: addresses that served suspects.
        rates: what each address carried a second; those that carried anything.
        hit: addresses that carried the attack.
        suspects: names that it may be after, after the step.
    """

    number: int
    start: datetime
    observed: Window
    parts: int
    rates: Mapping[str, float]
    hit: tuple[str, ...]
    suspects: int


@dataclass(frozen=True, kw_only=True)
class Attack:
    """Where a search stands.

    Attributes:
        outcome: one of `kary.OUTCOMES`, or `waiting`.
        meaning: the same in a sentence.
        doubt: why it is `unclear`; empty otherwise.
        names: the names that it may be after, the first of them where they are many; the answer where it is `found`.
        suspects: how many they are.
        stayed: addresses at which some of the attack stays, though it follows a name.
        background: what all other traffic together makes at the most, a second.
        size: what the attack made before the first step, a second.
        predicted_steps, predicted_time: by the paper: log_k n, and TTL + t log_k n in microseconds.
        time: from the first step to the end of what was looked at, in microseconds; None before anything was.
    """

    outcome: Outcome | Literal["waiting"]
    meaning: str
    doubt: str
    measure: Measure
    names: tuple[str, ...]
    suspects: int
    stayed: tuple[str, ...]
    background: float
    size: float
    steps: tuple[StepRead, ...]
    predicted_steps: int
    predicted_time: int
    time: int | None
    search: Search

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        row = {name: value for name, value in vars(self).items() if name not in ("search", "steps")}
        steps = [asdict(step) | {"observed": step.observed.to_dict()} for step in self.steps]
        return row | {"steps": steps}


def attack(
    lake: LakeSession | Path | str,
    plan: AttackPlan,
    names: NameFile,
    selection: Selection = EVERY_FLOW,
    *,
    measure: Measure = "flows",
    background: float | None = None,
    quiet: Window | str | None = None,
) -> Attack:
    """Which name the attack is after, by what the addresses of a plan carried in each of its steps.

    Args:
        lake: the lake's folder, or an open session.
        plan: what was done, and when.
        names: the file of names that it is about.
        selection: of which flows, whose window is not asked: the plan says which times to look at. Conditions that
            leave out what is not the attack make the answer surer.
        measure: what is counted.
        background: what all traffic but the attack makes on these addresses together, at the most, a second.
        quiet: a window before the attack, from which the background is measured instead. With neither it is taken
            for half of what the addresses carried just before the first step. A smaller attack is then not told from a
            popular name.

    Raises:
        LakeError: the folder is no lake, or cannot be read.
        QueryError: the plan has no step, its names are others, or the window cannot be read or has no length.
    """
    if not plan.steps:
        raise QueryError("cannot say where the attack went: the plan has no step; make one with agility plan")
    if (names.digest, names.names) != (plan.digest, plan.names):
        raise QueryError(
            f"cannot say which names the numbers of the plan mean: {names.path} is not the file that it was made with "
            f"({names.names} names, the plan has {plan.names}); give that with --names"
        )
    with opened(lake) as session:
        meter = LoadMeter(session, plan.addresses, measure, selection)
        first = plan.steps[0].start
        # The last moments under attack that no answer of the search can have reached.
        before = meter.sample(Window(first - timedelta(microseconds=max(plan.observe, SECOND)), first))
        calm = meter.background(before, rate=background, quiet=None if quiet is None else session.window(quiet))
        doubt = _doubt_at_first(plan, before, calm)
        search, steps, waiting = (plan.start, [], False) if doubt else _follow(plan, session, meter, calm)
    outcome: Outcome | Literal["waiting"] = "unclear" if doubt else search.outcome
    if waiting and outcome == "searching":
        outcome = "waiting"
    end = steps[-1].observed.end if steps else None
    return Attack(
        outcome=outcome,
        meaning=WAITING if outcome == "waiting" else OUTCOMES[outcome],
        doubt=doubt or search.doubt,
        measure=measure,
        names=tuple(name for _, name in names.named(search.suspects, limit=_LISTED)),
        suspects=count(search.suspects),
        stayed=tuple(sorted(search.stayed)),
        background=calm.rate,
        size=calm.size,
        steps=tuple(steps),
        predicted_steps=plan.predicted_steps,
        predicted_time=plan.predicted_time,
        time=to_microseconds(end) - to_microseconds(first) if end else None,
        search=search,
    )


def _follow(
    plan: AttackPlan, session: LakeSession, meter: LoadMeter, calm: Background
) -> tuple[Search, list[StepRead], bool]:
    """The search after the steps that can be read, these steps, and whether the next one must be waited for."""
    search, steps, last = plan.start, list[StepRead](), session.last_start()
    for number, planned in enumerate(plan.steps):
        if search.outcome != "searching":
            break
        window = _observed(plan, number, session.settings.clock_tolerance)
        if last is None or window.end is None or last < window.end:
            return search, steps, True
        sample = meter.sample(window)
        reading = calm.read(sample)
        search = search.after(planned.step, reading)
        steps.append(_read(number, planned, sample, reading, search))
    return search, steps, False


def _observed(plan: AttackPlan, number: int, tolerance: int) -> Window:
    """The time to look at in a step: from when the answers of before have expired by any clock."""
    begin = plan.steps[number].start + timedelta(microseconds=plan.expires(number) + tolerance)
    return Window(begin, begin + timedelta(microseconds=plan.observe))


def _doubt_at_first(plan: AttackPlan, before: LoadSample, calm: Background) -> str:
    """Why no step can be read, by what the addresses carried before the first one; empty where they can."""
    reading = calm.read(before)
    if reading.doubt or not reading.hit or calm.size < calm.rate:
        return (
            f"before the first step no address carried more than all else may make ({calm.rate:.4g} a second), so "
            "that a popular name could not be told from an attacked one; measure the background with --quiet, or leave "
            "out with filters what is not the attack"
        )
    strange = sorted(reading.hit - set(plan.attacked))
    if strange:
        return f"{strange[0]} carried it before it served a suspect; name it with --attacked, and take other addresses"
    return ""


def _read(number: int, planned: PlannedStep, sample: LoadSample, reading: Reading, search: Search) -> StepRead:
    return StepRead(
        number=number + 1,
        start=planned.start,
        observed=sample.window,
        parts=len(planned.step.parts),
        rates=dict(sample.rates),
        hit=tuple(sorted(reading.hit)),
        suspects=count(search.suspects),
    )
