"""What a report is made of: one frozen value, gathered by the caller from records and artifacts."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from harness.components.section import Section


@dataclass(frozen=True)
class Spent:
    """What the attempts at stages of one kind took: seconds, GPU-hours and energy."""

    kind: str
    attempts: int
    kept: float  # of attempts whose result was committed
    failed: int
    lost: float  # of the others
    kept_gpu_hours: float = 0.0  # the same by the GPUs of each attempt, where they are known
    lost_gpu_hours: float = 0.0
    on_gpus: int = 0  # attempts that ran and had a GPU, or of which that is not known
    unknown: int = 0  # those of which it is not known
    read: int = 0  # those whose energy is known
    kept_kwh: float | None = None  # of these; None: of none
    lost_kwh: float | None = None


@dataclass(frozen=True)
class Grid:
    """Samples of one class at one guidance, none left out; or why there are none."""

    name: str  # "class 207"
    guidance: float
    how: str  # "DiT-XL/2 at step 400,000, 250 steps"
    images: np.ndarray | None  # (n, H, W, C) uint8
    why: str = ""
    run: str = ""  # label of the run that drew them
    step: int | None = None  # of its training


@dataclass(frozen=True)
class ReportInput:
    """Everything a report says, gathered by the caller; nothing is read from disk while rendering.

    An unfinished study has a report too: `missing` names what is not done, and the first page says
    so.
    """

    study: str
    title: str
    profile: str
    sections: Sequence[str | Section]
    """Names of harness.spec.schema.SECTIONS, in order."""
    frames: Mapping[str, pd.DataFrame]
    """"runs", "metrics", "training" (harness.store.tables), only this study's rows."""
    provenance: Mapping[str, Any]
    """Shown as given, nested mappings and lists flattened: versions, commit, devices, extractor and
    checksums, reference, seeds, date of the records, the command line."""
    timestamp: datetime.datetime | int
    """The report's date (an int is seconds since 1970, UTC); a naive datetime is UTC."""
    about: str = ""
    complexity: Sequence[Mapping[str, Any]] = ()
    """One mapping per model and U-Net: model, block, image_size, tokens, params, gflops,
    gflops_paper, paper_gflops, paper_params_m (None where the paper has none), and for DiTs depth,
    width, heads if at hand. U-Nets have tokens None."""
    samples: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Run label (`harness.spec.study.Run.label`) to uint8 images (n, H, W, C), C 1 or 3: image i of
    every run from the same noise and label, runs in the study's order."""
    samples_how: str = ""
    """How all of them were drawn, for their caption: "50 steps, no guidance"."""
    samples_steps: Mapping[str, int] = field(default_factory=dict)
    """Run label to the training step of the checkpoint that drew them, where it is known."""
    strips: Mapping[str, Mapping[int, np.ndarray]] = field(default_factory=dict)
    """Run label to step to its first samples, uint8 (n, H, W, C): image i of every run and step
    from the same noise and label."""
    strips_how: str = ""
    """How all of them were drawn."""
    real: np.ndarray | None = None
    """Training images, uint8 (n, H, W, C), to stand beside the samples."""
    real_how: str = ""
    """What they are, or why there are none."""
    grids: Sequence[Grid] = ()
    """Uncurated grids of one class that the study asks for (Figures 11 and 14 to 33)."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Data, training and measurement by the setting's name; a list where it was an axis."""
    text: str = ""
    """The study's file."""
    spent: Sequence[Spent] = ()
    """What the attempts cost, one per kind of stage."""
    failures: Sequence[tuple[str, str]] = ()
    """(phrase of `missing`, last words of its error)."""
    claims: Sequence[str] | None = None
    """Ids of the claims that are decided (harness.paper.claims.every_id); None: all."""
    claim_pairs: Sequence[tuple[str, str]] = ()
    """(smaller, larger) of the study's own: is the larger ahead at equal sampling compute?"""
    claims_since: Mapping[str, str] = field(default_factory=dict)
    """When each claim was first stored, by its id; empty where none ever was."""
    claims_after: Set[str] = frozenset()
    """Those that were stored after the study's first run."""
    papers_own: bool = False
    """The numbers are the paper's: they are not set beside themselves."""
    against: pd.DataFrame | None = None
    """Somebody else's values of the primary metric: label, model, size, patch_size, gflops, params,
    value, se and se_df (null: not known), and of which setting they are (against.read)."""
    against_label: str = ""
    missing: Sequence[str] = ()
    """What the study asked for and has not got, one phrase each ("train DiT-XL/2: failed")."""

    @property
    def date(self) -> datetime.datetime:
        """`timestamp` as an aware datetime in UTC, whole seconds."""
        when = self.timestamp
        if not isinstance(when, datetime.datetime):
            return datetime.datetime.fromtimestamp(int(when), datetime.UTC)
        if when.tzinfo is None:
            when = when.replace(tzinfo=datetime.UTC)
        return when.astimezone(datetime.UTC).replace(microsecond=0)
