"""The study's own command, told when a stage has failed and when `run` ends.

    dispatch: {notify: [mail-me, --subject, harness]}

It is run without a shell. What it is told stands on its standard input as one JSON object, and in
its environment: HARNESS_EVENT (failed, or the end's done, failed or stopped), HARNESS_STUDY,
HARNESS_PROFILE, HARNESS_TEXT (a sentence). A notification never fails a run, and never holds it up
for more than a minute.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness.plan.plan import Stage

PATIENCE_S = 60.0


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
    try:
        done = subprocess.run(
            list(command),
            input=json.dumps(asdict(notice)),
            env={**os.environ, **{k: v.replace("\0", "") for k, v in words.items()}},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=PATIENCE_S,
        )
    except subprocess.TimeoutExpired:
        return f"dispatch.notify: {command[0]} was ended after {PATIENCE_S:.0f} s"
    except (OSError, ValueError) as error:
        return f"dispatch.notify: {command[0]} cannot be run: {error}"
    if done.returncode:
        last = (done.stdout.strip().splitlines() or ["it said nothing"])[-1]
        return f"dispatch.notify: {command[0]} ended with {done.returncode}: {last[:200]}"
    return None


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
            if trouble is not None:
                self.troubles.append(trouble)
