"""The study's own command, told when a stage has failed and when `run` ends.

    dispatch: {notify: [mail-me, --subject, harness]}

It is run without a shell. It reads the message as one JSON object from its standard input, and
finds it in its environment: HARNESS_EVENT (failed, or the end's done, failed or stopped),
HARNESS_STUDY, HARNESS_PROFILE, HARNESS_TEXT (a sentence). A notification never fails a run, and
never holds it up for more than a minute. What the command leaves running in the background is not
touched.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from harness.plan.plan import Stage

PATIENCE_S = 60.0
LAST = 10_000  # bytes of the command's output that are looked at


@dataclass(frozen=True)
class Notice:
    """A message to the user's command."""

    event: str  # failed (a stage, for good); at the end: done, failed or stopped
    study: str
    profile: str
    text: str
    finished: int  # stages
    total: int


def tell(command: Sequence[str], notice: Notice) -> str | None:
    """Run the command; None when it went well, otherwise a sentence for people."""
    words = {
        "HARNESS_EVENT": notice.event,
        "HARNESS_STUDY": notice.study,
        "HARNESS_PROFILE": notice.profile,
        "HARNESS_TEXT": notice.text,
    }
    environment = {**os.environ, **{k: v.replace("\0", "") for k, v in words.items()}}
    try:
        # files, not pipes: a pipe stays open as long as anything that the command has started
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as output:
            given.write(json.dumps(asdict(notice)).encode())
            given.seek(0)
            process = subprocess.Popen(
                list(command),
                stdin=given,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,  # Ctrl-C is for `run`; what hangs is ended whole
            )
            code = _wait(process)
            output.seek(max(0, output.seek(0, os.SEEK_END) - LAST))
            said = output.read().decode(errors="replace").strip().splitlines()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        return f"dispatch.notify: {command[0]} cannot be run: {why}"
    last = (said or ["it said nothing"])[-1][:200]
    if code is None:
        return f"dispatch.notify: {command[0]} was ended after {PATIENCE_S:.0f} s: {last}"
    if code < 0:
        return f"dispatch.notify: {command[0]} was ended by {_signal(-code)}: {last}"
    return f"dispatch.notify: {command[0]} ended with {code}: {last}" if code else None


def problem(command: Sequence[str]) -> str | None:
    """A sentence, where the command is known not to run here; None for one that may."""
    if not command or shutil.which(command[0]) is not None:
        return None
    there = os.path.exists(command[0])
    why = "is not an executable file" if there else "is not found"
    return f"dispatch.notify: {command[0]} {why} on this machine, so nobody will be told"


def _wait(process: subprocess.Popen[bytes]) -> int | None:
    """The exit code; None for what had to be ended, with all that it had started."""
    try:
        return process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return None


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class Notices:
    """The messages of one `run`: its first failed stage at once, and how it ended."""

    def __init__(self, command: Sequence[str], study: str, profile: str) -> None:
        self.command, self.study, self.profile = tuple(command), study, profile
        self.finished = self.total = 0
        self.failed: list[str] = []  # labels
        self.troubles: list[str] = []  # of telling; sentences for people
        self._telling: threading.Thread | None = None

    def __call__(self, event: str, stage: Stage | None, content: dict[str, Any]) -> None:
        """Hear an event, as the driver's `watch` does."""
        if event == "stock":
            self.total, self.finished = len(list(content["stages"])), len(content["done"])
        elif event in ("done", "found"):
            self.finished += 1
        elif event == "failed" and stage is not None:
            self.failed.append(stage.label)
            if len(self.failed) == 1:
                attempt = content["attempt"]
                text = f"{stage.label} failed: {attempt.failure}: {attempt.error}"
                self._telling = threading.Thread(target=self._tell, args=("failed", text))
                self._telling.start()

    def ended(self, code: int, error: str | None = None) -> None:
        """Tell how the run ended, after what is being told. `error`: what ended it early."""
        if self._telling is not None:
            self._telling.join()
        event = {0: "done", 1: "failed", 2: "failed"}.get(code, "stopped")
        text = f"{self.study} ({self.profile}): {self.finished:,} of {self.total:,} stages are done"
        if self.failed:
            text += f", {len(self.failed):,} failed, the first of them {self.failed[0]}"
        self._tell(event, text if error is None else f"{text}; it ended with: {error}")

    def _tell(self, event: str, text: str) -> None:
        if self.command:
            given = (event, self.study, self.profile, text, self.finished, self.total)
            trouble = tell(self.command, Notice(*given))
            if trouble is not None and trouble not in self.troubles:
                self.troubles.append(trouble)
