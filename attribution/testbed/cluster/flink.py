"""A real Flink standalone cluster on loopback: a JobManager, TaskManagers, and a ZooKeeper if jobs must survive."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import psutil

from attribution.errors import ClusterError
from attribution.testbed.cluster import flink_settings
from attribution.testbed.cluster.flink_rest import FlinkRest
from attribution.testbed.cluster.processes import Server, Stopped, end_processes, free_ports, port_is_free

_SUBMITTED = re.compile(r"Job has been submitted with JobID ([0-9a-f]{32})")
_SUBMIT_TIMEOUT_S = 300
_WORKER = "pyflink.fn_execution.beam"


class FlinkCluster(FlinkRest, Stopped):
    """One cluster whose settings, logs, checkpoints and savepoints are in one folder.

    Use it as a context manager, or call `stop`. Everything that it started is ended by process id.
    """

    def __init__(self, folder: Path, *, rest_port: int, environment: Mapping[str, str], servers: list[Server]) -> None:
        super().__init__(rest_port)
        self.folder = folder
        self.job_manager, *self._supporters = servers
        self.task_managers: list[Server] = []
        self._environment = environment
        self._started = 0
        self._seen_workers: set[int] = set()

    @classmethod
    def start(
        cls,
        folder: Path,
        *,
        task_managers: int = 1,
        slots: int = 2,
        recovery: bool = False,
        settings: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        job: Sequence[str] = (),
    ) -> Self:
        """Start a cluster and wait until every TaskManager has joined.

        Args:
            folder: For everything that the cluster writes; made if absent.
            task_managers: How many TaskManagers, of 2 GiB each by default.
            slots: Slots of each; one runs one parallel share of a job.
            recovery: Whether jobs survive the JobManager. Flink keeps what it needs for that in ZooKeeper or Kubernetes
                and in nothing else, so this starts a ZooKeeper (it is in Flink's own jar). Without it a job can be
                submitted again from `last_checkpoint`.
            settings: More of Flink's configuration; they win over what is set here.
            environment: More environment variables for every process, e.g. ``PYTHONPATH``.
            job: Makes this an application cluster: the arguments of one Python job (``["-py", "job.py", …]``), which
                starts with the cluster and ends it.

        Raises:
            ClusterError: Something does not start; with what its log says.
        """
        folder = folder.resolve()
        rest_port, rpc_port, zookeeper_port = free_ports(3)
        together = {
            "rest.port": str(rest_port),
            "rest.bind-address": "127.0.0.1",
            "rest.bind-port": str(rest_port),
            "jobmanager.rpc.port": str(rpc_port),
            "taskmanager.numberOfTaskSlots": str(slots),
            **(_survival(folder, zookeeper_port) if recovery else {}),
            **(settings or {}),
        }
        flink_settings.prepare(folder, together)
        variables = flink_settings.environment(folder, environment or {})
        servers = [_job_manager(folder, variables, job)]
        if recovery:
            servers.append(_zookeeper(folder, variables, zookeeper_port))
        cluster = cls(folder, rest_port=rest_port, environment=variables, servers=servers)
        try:
            for supporter in cluster._supporters:
                supporter.start()
                supporter.wait_until(lambda: not port_is_free(zookeeper_port))
            cluster.job_manager.start()
            for _ in range(task_managers):
                cluster.start_task_manager(wait=False)
            cluster.wait_until_complete()
        except BaseException:
            cluster.stop()
            raise
        return cluster

    # The cluster

    @property
    def servers(self) -> list[Server]:
        """Every server of the cluster, in the order in which they end best."""
        return [*self.task_managers, self.job_manager, *self._supporters]

    def start_task_manager(self, *, wait: bool = True) -> Server:
        """Add a TaskManager, and wait until it has joined."""
        self._started += 1
        name = f"TaskManager {self._started}"
        command = ["taskmanager.sh", "start-foreground", f"-Dtaskmanager.resource-id={_resource(name)}"]
        server = _script(name, self.folder, self._environment, command)
        self.task_managers.append(server)
        server.start()
        if wait:
            self.wait_until_complete()
        return server

    def start_job_manager(self) -> None:
        """Start the JobManager again after it was killed, and wait until the TaskManagers have joined it."""
        self.job_manager.start()
        self.wait_until_complete()

    def wait_until_complete(self) -> None:
        """Wait until the JobManager answers and knows every TaskManager; one that was killed may still be listed.

        Raises:
            ClusterError: One of them ended, or it takes too long.
        """

        def joined() -> set[str]:
            try:
                return {manager["id"] for manager in self.rest("/taskmanagers")["taskmanagers"]}
            except ClusterError:
                return set()

        for server in self.task_managers:
            self.job_manager.wait_until(lambda server=server: not server.running or _resource(server.name) in joined())  # type: ignore[misc]
            server.wait_until(lambda: True)

    def python_workers(self) -> list[int]:
        """Process ids of the Python processes of all TaskManagers that run operators."""
        found: list[int] = []
        for server in self.task_managers:
            if server.running:
                children = psutil.Process(server.pid).children(recursive=True)
                found.extend(process.pid for process in children if _is_worker(process))
        self._seen_workers.update(found)
        return found

    def kill_task_manager(self, number: int = 0) -> None:
        """End a TaskManager with SIGKILL. Nothing starts it again by itself: `start_task_manager`."""
        self.python_workers()  # so that `stop` knows those that outlive it
        self.task_managers.pop(number).kill()

    def kill_job_manager(self) -> None:
        """End the JobManager with SIGKILL. Nothing starts it again by itself: `start_job_manager`."""
        self.job_manager.kill()

    def stop(self) -> None:
        """End everything that this cluster started."""
        self.python_workers()
        for server in self.servers:
            server.stop()
        end_processes(pid for pid in self._seen_workers if _is_alive_worker(pid))

    # Jobs

    def submit(self, script: Path, arguments: Sequence[str] = (), *, options: Sequence[str] = ()) -> str:
        """Submit a Python job with `flink run --detached`, and return its id.

        Args:
            script: The Python file that builds the job.
            arguments: For the script.
            options: For `flink run`: ``["--parallelism", "2"]``, ``["--fromSavepoint", path]``, ``["-Dkey=value"]``.

        Raises:
            ClusterError: The job could not be submitted; with what the client printed.
        """
        done = self.flink("run", "--detached", *options, "--python", str(script), *arguments)
        submitted = _SUBMITTED.search(done.stdout)
        if done.returncode != 0 or submitted is None:
            raise ClusterError(f"cannot submit {script} (exit status {done.returncode}):\n{done.stdout}{done.stderr}")
        return submitted[1]

    def submit_by_rest(self, script: Path, arguments: Sequence[str] = (), **settings: str | int) -> str:
        """Submit a Python job through the REST interface alone, as a client without Flink would; returns its id.

        The script runs in a Python process of the JobManager, so the file must be where the JobManager is.

        Args:
            script: The Python file that builds the job.
            arguments: For the script.
            settings: More of the request: ``parallelism``, ``savepointPath``.

        Raises:
            ClusterError: The job could not be submitted; with the reason.
        """
        given = ["--python", str(script), *arguments]
        return self.run_jar(
            flink_settings.python_jar(), entry_class=flink_settings.PYTHON_DRIVER, arguments=given, **settings
        )

    def flink(self, *arguments: str, timeout_s: float = _SUBMIT_TIMEOUT_S) -> subprocess.CompletedProcess[str]:
        """Run Flink's command line client for this cluster; its exit status is the caller's to judge."""
        script = str(flink_settings.flink_home() / "bin" / "flink")
        return subprocess.run(  # noqa: S603 - the script is Flink's own
            ["/bin/bash", script, *arguments],
            env=dict(self._environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def last_checkpoint(self, job_id: str) -> Path | None:
        """The newest complete checkpoint of a job, for `submit` with ``--fromSavepoint``; None if there is none."""
        complete = [file.parent for file in (self.folder / "checkpoints" / job_id).glob("chk-*/_metadata")]
        return max(complete, key=lambda folder: int(folder.name.removeprefix("chk-")), default=None)


def _job_manager(folder: Path, environment: Mapping[str, str], job: Sequence[str]) -> Server:
    if not job:
        return _script("JobManager", folder, environment, ["jobmanager.sh", "start-foreground"])
    # The jar first: its option takes every word up to the next option that the script knows.
    jar = ["--jars", flink_settings.python_jar().as_uri()]
    driver = ["--job-classname", flink_settings.PYTHON_DRIVER]
    return _script("JobManager", folder, environment, ["standalone-job.sh", "start-foreground", *jar, *driver, *job])


def _script(name: str, folder: Path, environment: Mapping[str, str], command: list[str]) -> Server:
    """A server whose process is one of Flink's scripts, and then Java, to which the script gives its process."""
    script, *arguments = command
    log = folder / "log" / f"{_resource(name)}.out"
    path = str(flink_settings.flink_home() / "bin" / script)
    return Server(f"the Flink {name}", log, ["/bin/bash", path, *arguments], environment)


def _resource(name: str) -> str:
    """What the JobManager calls a TaskManager, so that a new one is not taken for one that was killed just now."""
    return name.removeprefix("the Flink ").lower().replace(" ", "-")


def _survival(folder: Path, zookeeper_port: int) -> dict[str, str]:
    return {
        "high-availability.type": "zookeeper",
        "high-availability.zookeeper.quorum": f"127.0.0.1:{zookeeper_port}",
        "high-availability.storageDir": (folder / "recovery").as_uri(),
        "high-availability.cluster-id": "/attribution",
        # How long a JobManager that was killed keeps its successor from leading: 60 s by default.
        "high-availability.zookeeper.client.session-timeout": "8000",
    }


def _zookeeper(folder: Path, environment: Mapping[str, str], port: int) -> Server:
    settings = folder / "conf" / "zoo.cfg"
    settings.write_text(
        f"dataDir={folder / 'zookeeper'}\nclientPort={port}\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n"
        "server.1=127.0.0.1:2888:3888\n",  # never used by one server alone, but Flink's script asks for it
        encoding="utf-8",
    )
    # Not `zookeeper.sh`: that keeps a shell between us and the server.
    command = ["flink-console.sh", "zookeeper", "--zkConfigFile", str(settings), "--peerId", "1"]
    return _script("ZooKeeper", folder, {**environment, "JVM_ARGS": "-Xmx128m"}, command)


def _is_worker(process: psutil.Process) -> bool:
    try:
        return _WORKER in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False


def _is_alive_worker(pid: int) -> bool:
    return psutil.pid_exists(pid) and _is_worker(psutil.Process(pid))
