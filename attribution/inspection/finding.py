"""One finding about logs, and the facts that findings are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from attribution.core.question import Side
from attribution.inspection.coverage import Coverage
from attribution.inspection.evidence_facts import EvidenceFacts
from attribution.inspection.flow_facts import FlowFacts
from attribution.inspection.lacks import Lack
from attribution.inspection.log_file import LogFile


@dataclass(frozen=True)
class Finding:
    """One thing to know or to mend.

    Attributes:
        code: what it is, in one word of a closed list.
        text: what was found; sentences, or a beginning that `items` end.
        advice: what to do; sentences.
        page: the page about it, below `docs/`, without `.md`.
        items: several things that were found, a sentence each.
    """

    code: str
    text: str
    advice: str
    page: str
    items: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The page as a path in the repository."""
        return f"docs/{self.page}.md"


@dataclass(frozen=True)
class Facts:
    """What findings are made of.

    Attributes:
        flows: of all logs.
        evidence: of all logs.
        covered: by side of flows.
        lacks: what formats want and logs have not.
        files: all of them.
        command: the words of the command that attributes them.
        now_us: the present, microseconds UTC.
    """

    flows: FlowFacts
    evidence: EvidenceFacts
    covered: Mapping[Side, Coverage]
    lacks: Sequence[Lack]
    files: Sequence[LogFile]
    command: Sequence[str]
    now_us: int
