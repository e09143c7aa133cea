"""A private single-node SLURM for the tests: its own munged, slurmctld and slurmd, in one folder.

No systemd, no cgroups, no accounting database. GPUs are null devices. Needs root, which CI has.
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
from pathlib import Path

BINARIES = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel", "srun")

CONF = """\
ClusterName=harness
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={ctld_port}
SlurmdPort={slurmd_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MailProg=/bin/true
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
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
MinJobAge=300
MaxArraySize={max_array_size}
GresTypes=gpu
NodeName=localhost NodeAddr=127.0.0.1 Sockets=1 CoresPerSocket={cores} ThreadsPerCore=1 \
RealMemory=8000 Gres=gpu:8 State=UNKNOWN
PartitionName=low Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1 \
PreemptMode=REQUEUE GraceTime=20
PartitionName=nograce Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=1 \
PreemptMode=REQUEUE GraceTime=0
PartitionName=high Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
"""


def missing_binaries() -> list[str]:
    """What a private cluster needs and this machine lacks."""
    return [b for b in BINARIES if shutil.which(b, path=_path()) is None]


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class PrivateCluster:
    """Started by `start`, stopped by `stop`; `environment` makes SLURM's commands talk to it."""

    def __init__(self, folder: Path, cores: int = 4, max_array_size: int = 21) -> None:
        self.folder = folder
        for name in ("state", "spool", "log", "run", "dev"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(8):
            device = folder / "dev" / f"gpu{i}"
            try:
                os.mknod(device, 0o20666, os.makedev(1, 3))
            except OSError:
                device.touch()
        self.conf = folder / "slurm.conf"
        self.conf.write_text(
            CONF.format(
                folder=folder,
                cores=cores,
                max_array_size=max_array_size,
                ctld_port=_free_port(),
                slurmd_port=_free_port(),
            )
        )
        (folder / "gres.conf").write_text(
            f"NodeName=localhost Name=gpu File={folder}/dev/gpu[0-7]\n"
        )
        self.environment = {"SLURM_CONF": str(self.conf)}
        self.env = {**os.environ, **self.environment, "PATH": _path()}

    def start(self) -> None:
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        self.folder.chmod(0o755)
        f = self.folder
        subprocess.run(
            [
                "munged",
                "--force",
                f"--key-file={key}",
                f"--socket={f}/munge.sock",
                f"--pid-file={f}/run/munged.pid",
                f"--log-file={f}/log/munged.log",
                f"--seed-file={f}/munge.seed",
            ],
            env=self.env,
            check=True,
            timeout=30,
        )
        subprocess.run(["slurmctld", "-c", "-f", str(self.conf)], env=self.env, check=True)
        self.start_slurmd()
        self.wait_for_node("idle", 30)

    def start_slurmd(self) -> None:
        subprocess.run(
            ["slurmd", "-f", str(self.conf), "-N", "localhost"], env=self.env, check=True
        )

    def pid(self, daemon: str) -> int:
        return int((self.folder / "run" / f"{daemon}.pid").read_text())

    def kill(self, daemon: str, number: int = signal.SIGKILL) -> None:
        with contextlib.suppress(OSError, ValueError):
            os.kill(self.pid(daemon), number)

    def stop(self) -> None:
        self.command("scancel", "--full", "-u", "root", check=False)
        time.sleep(0.5)
        for daemon in ("slurmd", "slurmctld", "munged"):
            self.kill(daemon, signal.SIGTERM)
        time.sleep(0.5)
        for daemon in ("slurmd", "slurmctld", "munged"):
            self.kill(daemon)

    def command(self, *words: str, check: bool = True, timeout: float = 30) -> str:
        done = subprocess.run(
            words, env=self.env, capture_output=True, text=True, timeout=timeout, check=False
        )
        if check and done.returncode:
            raise AssertionError(f"{words}: {done.stderr}")
        return done.stdout

    def wait_for_node(self, state: str, timeout: float = 30) -> None:
        deadline = time.monotonic() + timeout
        found = ""
        while time.monotonic() < deadline:
            found = self.command("sinfo", "-h", "-p", "low", "-o", "%T", check=False).strip()
            if found.rstrip("*") == state:
                return
            time.sleep(0.2)
        log = (self.folder / "log" / "slurmd.log").read_text()[-2000:]
        raise AssertionError(f"node is {found!r}, not {state!r} after {timeout} s\n{log}")

    def jobs(self) -> list[list[str]]:
        """[name, job_index, state, partition] of what is queued or running."""
        text = self.command("squeue", "-h", "-r", "-o", "%j %i %T %P")
        return [line.split() for line in text.splitlines()]
