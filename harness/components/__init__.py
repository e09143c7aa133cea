"""Components: everything that a study names, ours and anybody's, found in one registry.

    harness.components.names("family")            the names that a study may write
    harness.components.get("family", "DiT")       the component's class

One module per kind holds the contract (what a component of that kind must do, with shapes, units
and what must be deterministic) and the table of ours. A stranger derives a class from the contract
in a file that a study lists under `components:`, or in a package with an entry point in the group
`harness.components`; tests/example_components has one of each kind. Nothing here imports torch.
"""

from __future__ import annotations

from harness.components.autoencoder import Autoencoder, Codec
from harness.components.base import Component, Later, NotInKey
from harness.components.executor import Executor
from harness.components.extractor import Extractor
from harness.components.family import Family, Input
from harness.components.metric import Absent, Metric, Value
from harness.components.objective import Objective
from harness.components.optimizer import Optimizer
from harness.components.registry import KINDS, UnknownComponent, entries, entry, get, names
from harness.components.sampler import Sampler
from harness.components.schedule import Schedule
from harness.components.section import Section
from harness.components.source import Source, Wanted
from harness.components.tracker import Tracked, Tracker, Tracking

__all__ = [
    "KINDS",
    "Absent",
    "Autoencoder",
    "Codec",
    "Component",
    "Executor",
    "Extractor",
    "Family",
    "Input",
    "Later",
    "Metric",
    "NotInKey",
    "Objective",
    "Optimizer",
    "Sampler",
    "Schedule",
    "Section",
    "Source",
    "Tracked",
    "Tracker",
    "Tracking",
    "UnknownComponent",
    "Value",
    "Wanted",
    "entries",
    "entry",
    "get",
    "names",
]
