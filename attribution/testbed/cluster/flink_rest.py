"""The REST interface of a Flink cluster: jobs, metrics, savepoints, cancellation, submission of Python jobs."""

import http.client
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from attribution.errors import ClusterError
from attribution.testbed.cluster.processes import wait_until

_TIMEOUT_S = 60
#: States that a job does not leave.
ENDED: Final = frozenset({"CANCELED", "FAILED", "FINISHED"})
_METRICS_PER_REQUEST = 50
#: A JSON object of Flink's REST interface. Which fields it has, and of which types, depends on the path.
Reply = dict[str, Any]


class NoAnswerError(ClusterError):
    """The JobManager does not answer."""


class FlinkRest:
    """The REST interface of one cluster on 127.0.0.1."""

    def __init__(self, port: int) -> None:
        #: Where the web interface is, too.
        self.url = f"http://127.0.0.1:{port}"
        self._port = port

    def rest(self, path: str, *, method: str = "GET", body: Mapping[str, object] | None = None) -> Reply:
        """Ask the JobManager and return its reply, an object.

        Raises:
            ClusterError: It does not answer, or refuses; with its reason.
        """
        content = None if body is None else json.dumps(body).encode()
        reply: Reply = json.loads(self._ask(method, path, content, "application/json") or b"{}")
        return reply

    def jobs(self) -> dict[str, str]:
        """State of each job by its id: ``RUNNING``, ``RESTARTING``, ``FAILED`` and so on."""
        return {job["id"]: job["status"] for job in self.rest("/jobs")["jobs"]}

    def wait_for_state(self, job_id: str, *states: str, timeout_s: float = 300) -> str:
        """Wait until a job is in one of these states, and, for ``RUNNING``, all of its tasks are; returns the state.

        Raises:
            ClusterError: It is not in time, or it ended in another state; with the reason.
        """
        state = ""

        def reached() -> bool:
            nonlocal state
            job = self.rest(f"/jobs/{job_id}")
            state = job["state"]
            if state in ENDED and state not in states:
                raise ClusterError(f"job {job_id} is {state}, not {' or '.join(states)}: {self.failure(job_id)}")
            running = all(vertex["status"] in {"RUNNING", "FINISHED"} for vertex in job["vertices"])
            return state in states and (state != "RUNNING" or running)

        def found() -> str:
            return f"it is {state}; {self.failure(job_id)}"

        wait_until(reached, f"job {job_id} to be {' or '.join(states)}", timeout_s=timeout_s, found=found)
        return state

    def failure(self, job_id: str) -> str:
        """The last failure of a job; ``no failure`` if there was none."""
        entries = self.rest(f"/jobs/{job_id}/exceptions?maxExceptions=1")["exceptionHistory"]["entries"]
        return str(entries[0]["stacktrace"]) if entries else "no failure"

    def metrics(self, job_id: str, *, named: str) -> dict[str, float]:
        """Numbers that the tasks of a job report, as ``task/subtask.operator.metric`` -> value.

        Flink collects them every ten seconds by default (``metrics.fetcher.update-interval``).

        Args:
            job_id: A running job.
            named: Only metrics whose name ends with this, e.g. ``numRecordsOut`` or ``attribution.held_flows``.
        """
        found = {}
        for vertex in self.rest(f"/jobs/{job_id}")["vertices"]:
            path = f"/jobs/{job_id}/vertices/{vertex['id']}/metrics"
            names = [metric["id"] for metric in self._list(path) if metric["id"].endswith(named)]
            for some in _portions(names):
                for metric in self._list(f"{path}?get={','.join(map(quote, some))}"):
                    found[f"{vertex['name']}/{metric['id']}"] = float(metric["value"])
        return found

    def savepoint(self, job_id: str, *, stop: bool, drain: bool = False, timeout_s: float = 300) -> Path:
        """Take a savepoint in the cluster's folder for them, and end the job with it if `stop` is set; returns where.

        Args:
            job_id: A running job.
            stop: Whether the job ends with it.
            drain: Whether time ends for a job that is stopped, so that all that waits goes out of the state.
            timeout_s: How long it may take.

        Raises:
            ClusterError: The savepoint failed; with the reason.
        """
        verb = "stop" if stop else "savepoints"
        body = {"drain": True} if stop and drain else {}
        trigger = self.rest(f"/jobs/{job_id}/{verb}", method="POST", body=body)["request-id"]
        done = self._completed(f"/jobs/{job_id}/savepoints/{trigger}", "the savepoint", timeout_s=timeout_s)
        if stop:
            with suppress(NoAnswerError):  # a cluster for one job ends with it
                self.wait_for_state(job_id, "FINISHED", timeout_s=timeout_s)
        return Path(done["location"].removeprefix("file:"))

    def cancel(self, job_id: str) -> None:
        """End a job without a savepoint, and wait until it has ended. Its last checkpoint is kept."""
        self.rest(f"/jobs/{job_id}?mode=cancel", method="PATCH")
        self.wait_for_state(job_id, *ENDED)

    def run_jar(self, jar: Path, *, entry_class: str, arguments: Sequence[str], **settings: object) -> str:
        """Upload a jar and run its job; returns the job's id.

        Args:
            jar: The file.
            entry_class: The class whose `main` submits the job.
            arguments: For that `main`.
            settings: More of the request's body, e.g. ``savepointPath``, ``parallelism``.

        Raises:
            ClusterError: The job could not be submitted; with the reason.
        """
        boundary = uuid.uuid4().hex
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="jarfile"; filename="{jar.name}"\r\n'
            "Content-Type: application/x-java-archive\r\n\r\n"
        )
        form = head.encode() + jar.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
        uploaded = json.loads(self._ask("POST", "/jars/upload", form, f"multipart/form-data; boundary={boundary}"))
        body = {"entryClass": entry_class, "programArgsList": list(arguments), **settings}
        started = self.rest(f"/jars/{Path(uploaded['filename']).name}/run", method="POST", body=body)
        return str(started["jobid"])

    def _completed(self, path: str, what: str, *, timeout_s: float) -> Reply:
        """The result of an operation that goes on in the background."""
        answer: Reply = {}

        def completed() -> bool:
            answer.update(self.rest(path))
            return bool(answer["status"]["id"] == "COMPLETED")

        wait_until(completed, f"{what} to be complete", timeout_s=timeout_s)
        operation: Reply = answer["operation"]
        if "failure-cause" in operation:
            raise ClusterError(f"{what} failed: {operation['failure-cause'].get('stack-trace', operation)}")
        return operation

    def _list(self, path: str) -> list[Reply]:
        replies: list[Reply] = json.loads(self._ask("GET", path, None, "application/json"))
        return replies

    def _ask(self, method: str, path: str, content: bytes | None, content_type: str) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_TIMEOUT_S)
        try:
            connection.request(method, path, content, {"Content-Type": content_type} if content is not None else {})
            response = connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswerError(f"the Flink JobManager at {self.url} does not answer: {error!r}") from error
        finally:
            connection.close()
        if response.status >= http.client.BAD_REQUEST:
            raise ClusterError(f"the Flink JobManager refuses {method} {path}: {_reason(answer)}")
        return answer


def _reason(answer: bytes) -> str:
    try:
        return "\n".join(json.loads(answer)["errors"])
    except (ValueError, KeyError, TypeError):
        return answer.decode(errors="replace")


def _portions(names: list[str]) -> Iterator[list[str]]:
    """The names in parts, each small enough for one URL."""
    for start in range(0, len(names), _METRICS_PER_REQUEST):
        yield names[start : start + _METRICS_PER_REQUEST]
