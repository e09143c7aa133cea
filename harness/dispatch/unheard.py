"""Who will hear nothing of a run: a command that is not here, a tracker without its package.

Neither can fail a run, so nobody would notice before they look for what they were not told.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution

from harness.components import get
from harness.components.tracker import Tracker
from harness.dispatch import notify
from harness.spec.study import Study


def sentences(study: Study) -> list[str]:
    """A sentence on each of them, by what is installed on this machine."""
    dispatch = study.settings.dispatch
    found = [text for text in (notify.problem(dispatch.notify),) if text is not None]
    for given in dispatch.trackers:
        tracker = get("tracker", given)() if isinstance(given, str) else given
        assert isinstance(tracker, Tracker)
        if tracker.package is not None and not _installed(tracker.package):
            found.append(
                f"dispatch.trackers: {tracker.package} is not installed on this machine, so the "
                f"tracker {tracker.name} receives nothing (pip install {tracker.package})"
            )
    return found


def _installed(package: str) -> bool:
    try:
        distribution(package)
    except PackageNotFoundError:
        return False
    return True
