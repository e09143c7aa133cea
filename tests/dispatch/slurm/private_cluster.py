"""A private SLURM for the tests: its own munged, slurmctld and two slurmd, in one folder.

No systemd, no cgroups. Its GPUs are null devices (empty files where those cannot be made). Both
nodes are this machine: 127.0.0.1 has every partition, 127.0.0.2 only `pair`, for training on two
nodes. With `accounting`, a private MariaDB and slurmdbd as well; with `memory_limits`, a job
that has more memory than it asked for is killed. All ports are free ones, so that several may run
side by side. Needs root, which CI has.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

BINARIES = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel", "srun")
ACCOUNTING = ("slurmdbd", "mariadbd", "mariadb-install-db", "sacct")
NODES = ("127.0.0.1", "127.0.0.2")  # names that every resolver knows
GPUS = 4  # per node

CONF = """\
ClusterName=harness
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={ctld_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd-%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
{gather}
{accounting}
JobCompType=jobcomp/none
MailProg=/bin/true
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters={consumed}
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0,sched_min_interval=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
JobRequeue=1
ReturnToService=2
SlurmdParameters=config_overrides
SlurmdTimeout=10
KillWait=3
PropagatePrioProcess=1
MinJobAge={min_job_age}
MaxArraySize={max_array_size}
GresTypes=gpu
{nodes}
PartitionName=low Nodes=127.0.0.1 Default=YES MaxTime=INFINITE State=UP PriorityTier=1 \
PreemptMode=REQUEUE GraceTime=20
PartitionName=nograce Nodes=127.0.0.1 MaxTime=INFINITE State=UP PriorityTier=1 \
PreemptMode=REQUEUE GraceTime=0
PartitionName=high Nodes=127.0.0.1 MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
PartitionName=pair Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=1
"""
# looks at the memory of jobs every second, and kills those that have more than they asked for
LIMITED = """\
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherParams=OverMemoryKill
JobAcctGatherFrequency=1
DefMemPerCPU=1000"""
NODE = """\
NodeName={name} NodeAddr=127.0.0.1 Port={port} Sockets=1 \
CoresPerSocket={cores} ThreadsPerCore=1 RealMemory=8000 Gres=gpu:{gpus} State=UNKNOWN"""
DATABASE_CONF = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={dbd_port}
SlurmUser=root
LogFile={folder}/log/slurmdbd.log
PidFile={folder}/run/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={database_port}
StorageUser=root
StorageLoc=slurm
"""


def missing_binaries(accounting: bool = False) -> list[str]:
    """What a private cluster needs and this machine lacks."""
    wanted = BINARIES + ACCOUNTING if accounting else BINARIES
    return [b for b in wanted if shutil.which(b, path=_path()) is None]


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def _free_ports(count: int) -> list[int]:
    """Different ones: all are held until the last is known."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


class PrivateCluster:
    """Started by `start`, stopped by `stop`; `environment` makes SLURM's commands talk to it."""

    def __init__(
        self,
        folder: Path,
        cores: int = 4,
        max_array_size: int = 21,
        min_job_age: int = 300,
        accounting: bool = False,
        memory_limits: bool = False,
    ) -> None:
        self.folder, self.accounting = folder, accounting
        for name in ("state", "log", "run", "dev", *(f"spool/{node}" for node in NODES)):
            (folder / name).mkdir(parents=True, exist_ok=True)
        ctld_port, dbd_port, self.database_port, *slurmd_ports = _free_ports(3 + len(NODES))
        gres = []
        for i, node in enumerate(NODES):
            for gpu in range(i * GPUS, (i + 1) * GPUS):
                device = folder / "dev" / f"gpu{gpu}"
                try:  # a null device, or SLURM grants the GPU and names it to nobody
                    os.mknod(device, 0o20666, os.makedev(1, 3))
                except OSError:
                    device.touch()
            devices = f"{folder}/dev/gpu[{i * GPUS}-{(i + 1) * GPUS - 1}]"
            gres.append(f"NodeName={node} Name=gpu File={devices}\n")
        (folder / "gres.conf").write_text("".join(gres))
        storage = "AccountingStorageType=accounting_storage/none"
        if accounting:
            storage = (
                "AccountingStorageType=accounting_storage/slurmdbd\n"
                f"AccountingStorageHost=127.0.0.1\nAccountingStoragePort={dbd_port}\n"
                f"AccountingStoragePass={folder}/munge.sock"  # where munge listens
            )
            database = folder / "slurmdbd.conf"
            database.write_text(
                DATABASE_CONF.format(
                    folder=folder, dbd_port=dbd_port, database_port=self.database_port
                )
            )
            database.chmod(0o600)
        self.conf = folder / "slurm.conf"
        self.conf.write_text(
            CONF.format(
                folder=folder,
                max_array_size=max_array_size,
                min_job_age=min_job_age,
                ctld_port=ctld_port,
                accounting=storage,
                gather=LIMITED if memory_limits else "JobAcctGatherType=jobacct_gather/none",
                consumed="CR_Core_Memory" if memory_limits else "CR_Core",
                nodes="\n".join(
                    NODE.format(name=node, port=port, cores=cores, gpus=GPUS)
                    for node, port in zip(NODES, slurmd_ports, strict=True)
                ),
            )
        )
        self.environment = {"SLURM_CONF": str(self.conf)}
        self.env = {**os.environ, **self.environment, "PATH": _path()}

    # --- daemons --------------------------------------------------------------------------------

    def start(self) -> None:
        """Munge, the database if wanted, the controller, the nodes."""
        f = self.folder
        # killed tests must not leave daemons behind
        watch = f"while kill -0 {os.getpid()}; do sleep 2; done; kill -9 $(cat {f}/run/*.pid)"
        subprocess.Popen(["sh", "-c", f"({watch}) 2>/dev/null"], start_new_session=True)
        f.chmod(0o755)
        key = f / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        self._daemon(
            "munged",
            "--force",
            f"--key-file={key}",
            f"--socket={f}/munge.sock",
            f"--pid-file={f}/run/munged.pid",
            f"--log-file={f}/log/munged.log",
            f"--seed-file={f}/munge.seed",
        )
        if self.accounting:
            self._start_accounting()
        self._daemon("slurmctld", "-c", "-f", str(self.conf))
        for node in NODES:
            self.start_slurmd(node)
        for node in NODES:
            self.wait_for_node("idle", 30, node)

    def forget_jobs(self) -> None:
        """The controller starts anew and knows no job. It would forget them within a minute."""
        self.kill("slurmctld", signal.SIGTERM)
        self._until(lambda: not self._runs("slurmctld"), 20, "slurmctld.log")
        self._daemon("slurmctld", "-c", "-f", str(self.conf))
        for node in NODES:
            self.wait_for_node("idle", 30, node)

    def _runs(self, daemon: str) -> bool:
        try:
            os.kill(self.pid(daemon), 0)
            return True
        except (OSError, ValueError):
            return False

    def _daemon(self, *words: str) -> None:
        subprocess.run(words, env=self.env, check=True, timeout=60)

    def start_slurmd(self, node: str = NODES[0]) -> None:
        self._daemon("slurmd", "-f", str(self.conf), "-N", node)

    def _start_accounting(self) -> None:
        """MariaDB without a password on a port of 127.0.0.1, slurmdbd, the cluster's name in it."""
        f = self.folder
        # A server that starts removes the temporary tables that lie in its folder for them: in a
        # shared /tmp those of another cluster that is being set up.
        env = {**self.env, "TMPDIR": str(f / "tmp")}
        (f / "tmp").mkdir()
        with open(f / "log" / "mariadb.log", "ab") as log:
            subprocess.run(
                (
                    *("mariadb-install-db", "--no-defaults", f"--datadir={f}/database"),
                    *("--user=root", "--auth-root-authentication-method=normal", "--skip-test-db"),
                ),
                env=env,
                stdout=log,
                stderr=log,
                check=True,
                timeout=120,
            )
            subprocess.Popen(
                (
                    *("mariadbd", "--no-defaults", f"--datadir={f}/database", "--user=root"),
                    *(f"--socket={f}/mariadb.sock", f"--port={self.database_port}"),
                    *("--bind-address=127.0.0.1", f"--pid-file={f}/run/mariadbd.pid"),
                    "--skip-name-resolve",
                ),
                env=env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._until(self._database_answers, 60, "mariadb.log")
        self._daemon("slurmdbd")
        manager = ("sacctmgr", "-i", "-n")
        self._until(
            lambda: self.command(*manager, "show", "cluster", check=False, ok=True),
            30,
            "slurmdbd.log",
        )
        self.command(*manager, "add", "cluster", "harness")

    def _database_answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.database_port)) == 0

    def _until(self, what: Callable[[], object], timeout: float, log: str) -> None:
        deadline = time.monotonic() + timeout
        while not what():
            if time.monotonic() > deadline:
                said = (self.folder / "log" / log).read_text()[-2000:]
                raise AssertionError(f"not within {timeout} s:\n{said}")
            time.sleep(0.1)

    def pid(self, daemon: str) -> int:
        return int((self.folder / "run" / f"{daemon}.pid").read_text())

    def kill(self, daemon: str, number: int = signal.SIGKILL) -> None:
        with contextlib.suppress(OSError, ValueError):
            os.kill(self.pid(daemon), number)

    def crash(self, node: str = NODES[0]) -> None:
        """Kill slurmd and everything that runs as a job, as a power cut does."""
        self.kill(f"slurmd-{node}")
        self._kill_jobs()

    def _kill_jobs(self) -> None:
        for process in self.processes():
            with contextlib.suppress(OSError):
                os.kill(process, signal.SIGKILL)

    def processes(self) -> list[int]:
        """Of the jobs: batch scripts, srun, tasks, and the slurmstepd that watch over them."""
        ours = f"SLURM_CONF={self.conf}".encode()
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                variables = (entry / "environ").read_bytes().split(b"\0")
                of_a_job = any(v.startswith(b"SLURM_JOB_ID=") for v in variables)
                steps = (entry / "comm").read_text().strip() == "slurmstepd"
                if ours in variables and (of_a_job or steps):
                    found.append(int(entry.name))
        return found

    def stop(self) -> None:
        self.command("scancel", "--full", "-u", "root", check=False)
        time.sleep(0.5)
        daemons = (*(f"slurmd-{n}" for n in NODES), "slurmctld", "slurmdbd", "mariadbd", "munged")
        for daemon in daemons:
            self.kill(daemon, signal.SIGTERM)
        time.sleep(0.5)
        for daemon in daemons:
            self.kill(daemon)
        self._kill_jobs()

    # --- its commands ---------------------------------------------------------------------------

    def command(
        self, *words: str, check: bool = True, timeout: float = 30, ok: bool = False
    ) -> str:
        """Its output. With `ok`, "" when it fails and something when it does not."""
        done = subprocess.run(
            words, env=self.env, capture_output=True, text=True, timeout=timeout, check=False
        )
        if check and done.returncode:
            raise AssertionError(f"{words}: {done.stderr}")
        return ("" if done.returncode else done.stdout or "ok") if ok else done.stdout

    def wait_for_node(self, state: str, timeout: float = 30, node: str = NODES[0]) -> None:
        deadline = time.monotonic() + timeout
        found = ""
        while time.monotonic() < deadline:
            words = ("sinfo", "-h", "-p", "pair", "-n", node, "-o", "%T")
            found = self.command(*words, check=False).strip()
            if found.rstrip("*") == state:
                return
            time.sleep(0.2)
        log = (self.folder / "log" / f"slurmd-{node}.log").read_text()[-2000:]
        raise AssertionError(f"{node} is {found!r}, not {state!r} after {timeout} s\n{log}")

    def clear(self) -> None:
        """No job is left, or the next test waits behind it."""
        self.command("scancel", "--full", "-u", "root", check=False)
        deadline = time.monotonic() + 20
        while self.jobs() and time.monotonic() < deadline:
            time.sleep(0.1)

    def jobs(self) -> list[list[str]]:
        """[name, job_index, state, partition] of what is queued or running."""
        text = self.command("squeue", "-h", "-r", "-o", "%j %i %T %P")
        return [line.split() for line in text.splitlines()]
