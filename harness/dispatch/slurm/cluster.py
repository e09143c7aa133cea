"""SLURM's commands: asked with time-outs and retries, read without trusting any single one.

squeue is asked first (it also knows jobs that ended a moment ago), scontrol for details, sacct last
and only where accounting runs. A question without an answer is Unreachable, never "no such job".
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import BadInput, HarnessError
from harness.store import files

TIMEOUT_S = 30.0  # of one command
TRIES = 3
WAIT_S = 2.0  # between tries, doubling
LIVE = {
    "PENDING",
    "RUNNING",
    "COMPLETING",
    "CONFIGURING",
    "REQUEUED",
    "REQUEUE_FED",
    "REQUEUE_HOLD",
    "SPECIAL_EXIT",
    "RESIZING",
    "RESV_DEL_HOLD",
    "SIGNALING",
    "STAGE_OUT",
    "STOPPED",
    "SUSPENDED",
}
PREFIX = "harness-"  # of every job name
# A task ends with 0, 1 or 2, or srun says 128 + the signal that killed it, which sacct (22.05, and
# unlike scontrol) shows less 128.
OWN_CODES = 2


class Unreachable(HarnessError):
    """SLURM did not answer; nothing is known about the jobs."""


class Refused(BadInput):
    """sbatch said no, for a reason that another try does not cure."""


class NotConfigured(Unreachable):
    """SLURM's commands do not know their cluster here: as a rule, the wrong machine."""


class Later(HarnessError):
    """sbatch said no for now: a submission limit, a controller that restarts."""


@dataclass(frozen=True)
class Element:
    """One array element as SLURM sees it."""

    job: str  # the array's id
    state: str
    reason: str = ""
    exit_code: str = ""  # "0:9" or "137:0"
    left: str = ""  # as squeue prints it, 1-02:03:04
    elapsed: str = ""
    restarts: int = 0
    name: str = field(default="", compare=False)  # the job's, by which a reused id is told apart

    @property
    def live(self) -> bool:
        """Is it queued or running, as SLURM says?"""
        return self.state in LIVE


PASSING = (
    "timed out",
    "timeout",
    "unable to contact",
    "connection refused",
    "connect failure",
    "temporarily",
    "try again",
    "communication",
    "zero bytes",
    "credential",
)
UNCONFIGURED = ("configuration source", "slurm.conf", "dns srv lookup failed")
# One job alone is over it, whatever else is queued. sbatch names the limit before "(job submit
# limit, user's size and/or time limits)", which it says of every limit.
TOO_LARGE = re.compile(
    r"Max(Wall|Cpu|Node|GRES|Mem|TRES|BB|Billing)\w*Per(Job|Node|User|Account)|Min(Cpu|GRES|Memory)",
    re.IGNORECASE,
)
LIMITS = ("maxsubmit", "qosmaxsubmit", "job submit limit", "submitted/running job", "maxjobcount")


# What the user's shell says to SLURM's commands overrides a script's lines, also the job's name by
# which it is found again, and makes squeue leave jobs out without a word.
USERS = ("SBATCH_", "SQUEUE_", "SACCT_", "SCANCEL_", "SINFO_", "SLURM_TIME_FORMAT")
JOBS = ("SLURM_", "SLURMD_", "SRUN_", "PMI")  # set by an enclosing job: sbatch must not inherit it
REACH = {"SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_CLUSTERS", "SLURM_JWT"}  # which cluster, and how


def without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for SLURM's commands: less the user's settings and an enclosing job's."""
    dropped = USERS + JOBS if "SLURM_JOB_ID" in environment else USERS
    return {k: v for k, v in environment.items() if k in REACH or not k.startswith(dropped)}


# Colours and other controls of a terminal, titles of its window, a byte order mark.
CONTROLS = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*|[\x00-\x08\x0e-\x1f\x7f\ufeff]")


def job_ids(printed: str) -> set[str]:
    """Ids in the output of `sbatch --parsable` (JOB or JOB;CLUSTER), or of an sbatch without it.

    Its words count before a line that is a number and nothing else, which may be a site's.
    """
    shown = CONTROLS.sub("", printed)
    worded = set(re.findall(r"Submitted batch job ([1-9][0-9]*)(?![\w.])", shown))
    return worded or set(re.findall(r"^\s*([1-9][0-9]*)(?:;[\w.-]+)?\s*$", shown, re.MULTILINE))


def of_this_user() -> list[str]:
    """squeue's words for the jobs of this user alone.

    None, so that it lists the jobs of all (ours are known by their names), where this machine has
    no name for the user's number, as in a container: squeue 22.05 then calls the number invalid,
    lists nothing and ends with 0, and every job would be taken for gone.
    """
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        return []
    return ["-u", str(os.getuid())]


def fields(line: str) -> dict[str, str]:
    """The values of a line of `scontrol show -o`; of a name the first, since what stands in a path
    or a comment may look like one, and comes later."""
    found: dict[str, str] = {}
    for name, value in re.findall(r"(\w+)=(\S*)", line):
        found.setdefault(name, value)
    return found


class Cluster:
    """The cluster that this machine's SLURM commands talk to."""

    def __init__(
        self, timeout_s: float = TIMEOUT_S, tries: int = TRIES, wait_s: float = WAIT_S
    ) -> None:
        self.timeout_s, self.tries, self.wait_s = timeout_s, tries, wait_s
        self._max_array: int | None = None

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One command, once. Raises Unreachable when it does not end or cannot start."""
        try:
            return subprocess.run(
                words,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=self.timeout_s,
                env=without_settings(os.environ),
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C must not interrupt an sbatch half-way
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Unreachable(f"{words[0]} did not answer within {self.timeout_s:g} s") from None
        except OSError as error:
            raise Unreachable(f"{words[0]} cannot be started: {error.strerror}") from None

    def ask(self, *words: str) -> str:
        """A question, repeated until answered. Raises Unreachable with SLURM's own words."""
        said = ""
        for attempt in range(self.tries):
            if attempt:
                time.sleep(self.wait_s * 2 ** (attempt - 1))
            try:
                done = self.run(*words)
            except Unreachable as error:
                said = str(error)
                continue
            if done.returncode == 0:
                return done.stdout
            said = done.stderr.strip() or f"{words[0]} ended with exit code {done.returncode}"
        if any(words in said.lower() for words in UNCONFIGURED):
            last = said.splitlines()[-1]
            raise NotConfigured(f"SLURM's commands find no configuration on this machine: {last}")
        raise Unreachable(f"SLURM does not answer ({self.tries} tries): {said}")

    def queue(self, name: str | None = None) -> dict[str, dict[int, Element]]:
        """This user's jobs by name and array index, ended ones too while SLURM remembers them."""
        words = ["squeue", "-h", "-r", "-t", "all", "-o", "%j|%F|%K|%T|%L|%M|%r"]
        words += ["--name", name] if name else of_this_user()
        found: dict[str, dict[int, Element]] = {}
        for line in self.ask(*words).splitlines():
            told = line.split("|", 6)
            if len(told) == 7 and told[0].startswith(PREFIX) and told[2].isdigit():
                job, index, state, left, elapsed, reason = told[1:]
                element = Element(job, state, reason, left=left, elapsed=elapsed)
                known = found.setdefault(told[0], {}).setdefault(int(index), element)
                if not known.live:  # a second job of this name left at once, or is still to do so
                    found[told[0]][int(index)] = element
        return found

    def detail(self, job: str, index: int) -> Element | None:
        """One element from scontrol, else from sacct; None when neither knows it."""
        try:
            done = self.run("scontrol", "show", "job", "-o", f"{job}_{index}")
        except Unreachable:
            return None
        if done.returncode == 0:
            for line in done.stdout.splitlines():
                told = fields(line)
                if told.get("ArrayTaskId") == str(index):
                    return Element(
                        job,
                        told.get("JobState", "UNKNOWN"),
                        told.get("Reason", ""),
                        told.get("ExitCode", ""),
                        restarts=int(told.get("Restarts", "0") or 0),
                        name=told.get("JobName", ""),
                    )
        return self._accounted(job, index)

    def _accounted(self, job: str, index: int) -> Element | None:
        words = ("-n", "-X", "-P", "-j", f"{job}_{index}")
        try:
            done = self.run("sacct", *words, "-o", "JobID,State,ExitCode,JobName")
        except Unreachable:
            return None
        for line in done.stdout.splitlines() if done.returncode == 0 else ():
            told = [*line.split("|", 3), ""]
            if told[0] == f"{job}_{index}" and len(told) > 3:
                code, _, number = told[2].partition(":")
                if number == "0" and int(code) > OWN_CODES:
                    code, number = "0", code
                state = (told[1].split() or ["UNKNOWN"])[0]
                return Element(job, state, exit_code=f"{code}:{number}", name=told[3])
        return None

    def find(self, name: str) -> str | None:
        """The job id of a name, None when SLURM knows none. Raises Unreachable."""
        for element in self.queue(name).get(name, {}).values():
            return element.job
        try:  # where accounting runs it may know more
            words = ("-n", "-X", "-P", "--name", name, "-S", "now-7days", "-o", "JobID")
            done = self.run("sacct", *words)  # without a start it tells of today only
        except Unreachable:
            return None
        told = re.search(r"^\s*(\d+)(_\S+)?\s*$", done.stdout, re.MULTILINE)
        return told.group(1) if done.returncode == 0 and told else None

    def submit(self, script: Path, name: str) -> str:
        """sbatch, and the job's id; never twice for a name.

        An sbatch that timed out may have queued its job: the name is looked up before anything is
        tried again, also by a later call (a file beside the script says that one was tried).
        Raises Refused, Later, Unreachable.
        """
        said = ""
        tried = script.with_suffix(".tried")
        unsure = tried.exists()
        files.write_atomic(tried, b"")
        for attempt in range(self.tries):
            if attempt:
                time.sleep(self.wait_s * 2 ** (attempt - 1))
            known = self.find(name) if unsure else None
            if known is not None:
                return known
            try:
                done = self.run("sbatch", "--parsable", str(script))
            except Unreachable as error:
                said, unsure = str(error), True
                continue
            if done.returncode == 0:
                return self._submitted(done.stdout, name, script)
            said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
            full = any(word in said.lower() for word in LIMITS) and not TOO_LARGE.search(said)
            if full or not any(word in said.lower() for word in PASSING):
                sure_not = full and not job_ids(done.stdout)
                known = None if sure_not else self._submitted_after_all(done.stdout, name)
                if known is not None:
                    return known
                if not unsure:  # surely not queued
                    tried.unlink(missing_ok=True)
                if full:
                    raise Later(f"sbatch: {said}")
                raise Refused(f"sbatch refused the job: {said}\nits script: {script}")
            unsure = True
        known = self.find(name)
        if known is not None:
            return known
        raise Later(f"sbatch did not succeed in {self.tries} tries: {said}")

    def _submitted_after_all(self, printed: str, name: str) -> str | None:
        """The id of a job whose sbatch ended with an error, as a site's own part of one may do
        after SLURM has taken the job."""
        ids = job_ids(printed)
        with contextlib.suppress(Unreachable):
            known = self.find(name)
            if known is not None:
                return known
        return ids.pop() if len(ids) == 1 else None

    def _submitted(self, printed: str, name: str, script: Path) -> str:
        """The job's id from what an sbatch without error printed.

        Where a site has printed more than the id, a number may be the site's: the queue is asked
        first. Raises Refused when neither a line nor the queue tells it: the job may run, and
        another sbatch might make a second one, and a third.
        """
        ids = job_ids(printed)
        sure = len(ids) == 1
        if sure and len(printed.strip().splitlines()) == 1:
            return ids.pop()
        for attempt in range(self.tries):
            if attempt:
                time.sleep(self.wait_s * 2 ** (attempt - 1))
            try:
                known = self.find(name)
            except Unreachable:
                if not sure:
                    raise
                known = None
            if known is not None or sure:
                return known or ids.pop()
        said = " ".join(printed.split())[:300]
        raise Refused(
            f"sbatch ended without an error and gave no job id (it printed {said!r}). A job may be "
            f"running, though SLURM has none of the name {name}: look with squeue, and end it with "
            f"scancel. It cannot change these results: its stages are recorded as stopped\n"
            f"its script: {script}"
        )

    def cancel(self, name: str, elements: Sequence[str]) -> None:
        """scancel of "123_4" and "123", if that is the job's name: SLURM may use an id again."""
        for start in range(0, len(elements), 500):
            self.ask("scancel", f"--name={name}", *elements[start : start + 500])

    def max_array_size(self) -> int:
        """Elements an array may have (MaxArraySize; its default, 1001, when SLURM does not say)."""
        if self._max_array is None:
            found = re.search(r"MaxArraySize\s*=\s*(\d+)", self.ask("scontrol", "show", "config"))
            self._max_array = max(1, int(found.group(1)) if found else 1001)
        return self._max_array

    def longest(self, partition: str | None) -> int | None:
        """Minutes that a partition grants (of several the most), None: unlimited or not known."""
        try:
            done = self.run("scontrol", "show", "partition", "-o")
        except Unreachable:
            return None
        granted = []
        for line in done.stdout.splitlines() if done.returncode == 0 else ():
            told = fields(line)
            wanted = partition.split(",") if partition else ()
            if told.get("PartitionName") in wanted or (not wanted and told.get("Default") == "YES"):
                time_limit = re.fullmatch(r"(?:(\d+)-)?(\d+):(\d+):\d+", told.get("MaxTime", ""))
                if time_limit is None:
                    return None
                days, hours, minutes = (int(n or 0) for n in time_limit.groups())
                granted.append((days * 24 + hours) * 60 + minutes)
        return max(granted, default=None)
