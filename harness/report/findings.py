"""What a report's numbers say, computed once and shared by its sections."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from harness import paper
from harness.analysis import compute, metrics, sampling, selection
from harness.analysis.averaging import errors, of_one_spread
from harness.analysis.correlations import Correlations, correlation
from harness.analysis.finished import finished
from harness.analysis.intervals import Interval
from harness.analysis.labels import AGAINST, data_in_words
from harness.analysis.law import ScalingLaw, scaling_law, why_no_law
from harness.analysis.limits import ceiling_beside, floor_beside
from harness.analysis.protocol import Protocol
from harness.analysis.remembered import remembering
from harness.analysis.shared_draws import error_correlations, in_common
from harness.errors import BadInput
from harness.paper.evidence import Verdict
from harness.report.counterpart import counterpart, measured_as_the_papers
from harness.report.effects import Effects
from harness.report.effects import find as find_effects
from harness.report.figures.marks import OTHER
from harness.report.input import ReportInput
from harness.report.prepared import prepared
from harness.report.verdicts import verdicts


@dataclass(frozen=True)
class Floor:
    """The floor: the value of real images against the reference."""

    value: float
    images: int | None  # behind it; None: not told
    enough: bool  # as many as the samples it stands beside: distances depend on the number
    std: float | None = None  # its standard error; None: not recorded


def floor_of(rows: pd.DataFrame, metric: str, protocol: Protocol | None) -> Floor | None:
    """The floor of values that were measured so; see `limits.floor_beside`."""
    found = floor_beside(rows, metric, protocol)
    if found is None:
        return None
    samples = None if protocol is None else protocol.samples
    enough = found.images is None or samples is None or found.images >= samples
    return Floor(found.value, found.images, enough, found.noise[0] if found.noise else None)


@dataclass(frozen=True)
class Findings:
    """The study's primary metric and everything computed from it.

    The frames have one row per point: label, group (what may share an axis), the model's facts,
    value, std, low, high (95 %), seeds, learned.
    """

    report: ReportInput
    metric: str | None  # recorded name of the primary metric; None: nothing that can be ranked
    title: str  # for axes and text
    short: str  # for table heads
    higher: bool  # is larger better
    ceiling: float | None  # what decoded noise scores
    references: int  # distinct ones behind the compared values: only within one do they compare
    final: pd.DataFrame  # quality per model at the compared step
    protocol: Protocol | None
    step: int | None  # None with a protocol: imported checkpoints that do not say theirs
    correlations: Mapping[str, Correlations]  # by group
    laws: Mapping[str, ScalingLaw]
    no_law: Mapping[str, str]  # why there is none
    learned_correlations: Mapping[str, Correlations]  # without models that did not learn,
    learned_laws: Mapping[str, ScalingLaw]  # of groups that have such
    limit_laws: Mapping[str, ScalingLaw]  # of the distance at infinitely many samples
    curves: pd.DataFrame  # quality over training
    curves_protocol: Protocol | None
    compared: pd.DataFrame  # of them what compares at equal compute; all, where no model has two
    compared_protocol: Protocol | None
    on_the_way: bool  # are checkpoints in `compared` whose rate had not come to its end?
    frontier: pd.DataFrame  # of `compared`
    sweep: pd.DataFrame  # quality over sampling steps
    sweep_protocol: Protocol | None
    pairs: pd.DataFrame
    pair: Any
    paper: pd.DataFrame  # the paper's rows for these models, marked as its
    papers_setting: bool  # may the paper's values stand on one axis with ours?
    seeds: int
    without_value: int  # rows of the primary metric that hold no finite number
    undirected: tuple[str, ...]  # recorded metrics of which nobody here says what is better
    effects: Effects = field(default_factory=Effects)
    verdicts: list[Verdict] = field(default_factory=list)
    no_verdicts: str = ""  # why there are none

    def floor(self, protocol: Protocol | None) -> Floor | None:
        """The floor of values that were measured so; None: not known, or several."""
        if self.references > 1 or self.metric is None:
            return None
        return floor_of(self.report.frames["metrics"], self.metric, protocol)

    def line(self, protocol: Protocol | None) -> float | None:
        """The floor as a line beside such values: only where it is of as many images."""
        found = self.floor(protocol)
        return found.value if found is not None and found.enough else None

    @property
    def heading(self) -> str:
        """The title as a sentence begins with it: "Class score", "Fréchet distance"."""
        return self.title[:1].upper() + self.title[1:]

    @property
    def better(self) -> str:
        """The direction of the primary metric, in words."""
        return "higher is better" if self.higher else "lower is better"

    @property
    def groups(self) -> list[str]:
        """The parts of the study that may share an axis; [""] for one."""
        return list(dict.fromkeys(self.final["group"])) if len(self.final) else []

    @cached_property
    def failed(self) -> set[str]:
        """Labels of models that did not learn: not told from decoded noise."""
        return {str(r["label"]) for r in self.final.to_dict("records") if r["learned"] is False}

    @property
    def checkpoints(self) -> bool:
        """One training seed: a sentence is about these checkpoints, not about the models."""
        return self.seeds < 2


@remembering()
def find(report: ReportInput) -> Findings:
    """Compute everything the sections share. Nothing is required: every part may be empty."""
    rows = report.frames["metrics"]
    samples = rows[rows["of"].fillna("samples") == "samples"]
    metric = metrics.primary_metric(samples)
    recorded = sorted({str(m) for m in samples["metric"].dropna()})
    name = metric or "fd"
    parts = by_reference(rows, name)
    references = len(parts)
    one = references < 2
    if not one:
        rows = told_apart(rows, parts, name)
        report = replace(report, frames={**report.frames, "metrics": rows})
        parts = by_reference(rows, name)
    higher = metrics.higher_is_better(name)
    # A reference's values share no axis with another's.
    chosen = [
        (
            (selection.final_quality(part, name), final_protocol(part, name)),
            selection.over_training(part, name),
            selection.over_finished(part, name),
            selection.sampling_sweep(part, name),
        )
        for _, part in parts
    ]
    finals, curves, ends, sweeps = (
        pd.concat(
            [
                beside_noise(rows, part, name, frame, protocol, mark)
                for (mark, part), (frame, protocol) in zip(parts, of_parts, strict=True)
            ],
            ignore_index=True,
        )
        for of_parts in zip(*chosen, strict=True)
    )
    _, curves_protocol, ends_protocol, sweep_protocol = (p for _, p in chosen[0])
    several = ends.groupby(["group", "label"])["step"].nunique() > 1
    compared = ends if bool(several.any()) else curves
    first = parts[0][1]
    compared_as = selection.final_protocol(first, name)
    by_seed = selection.final_rows(first, name)
    generated = rows[(rows["metric"] == name) & (rows["of"].fillna("samples") == "samples")]
    finite = np.isfinite(generated["value"].to_numpy(float, na_value=np.nan))
    correlations, laws, no_law = fitted(finals if one else finals.iloc[:0], higher)
    failed = [v is False for v in finals["learned"]]
    lacking = set(finals["group"][np.array(failed, dtype=bool)]) if one else set()
    kept = finals[[not f and g in lacking for f, g in zip(failed, finals["group"], strict=True)]]
    kept_correlations, kept_laws, _ = fitted(kept, higher)
    protocol, step = compared_as or (None, None)
    found_ceiling = ceiling_beside(rows, name, protocol, first)
    limits = at_the_limit(first if one else first.iloc[:0], name, protocol, step)
    found_pairs, pair = sampled(first if one else first.iloc[:0], name)
    decided, undecided = verdicts(report, finals, parts)
    return Findings(
        report=report,
        metric=metric,
        title=metrics.title(name) if metric else "quality",
        short=metrics.short_title(name) if metric else "quality",
        higher=higher,
        ceiling=found_ceiling.value if one and found_ceiling else None,
        references=references,
        final=finals,
        protocol=protocol,
        step=step,
        correlations=correlations,
        laws=laws,
        no_law=no_law,
        learned_correlations=kept_correlations,
        learned_laws=kept_laws,
        limit_laws=limits,
        curves=curves,
        curves_protocol=curves_protocol,
        compared=compared,
        compared_protocol=curves_protocol if compared is curves else ends_protocol,
        on_the_way=compared is curves and not finished(samples).all(),
        frontier=fronts(compared, name),
        sweep=sweeps,
        sweep_protocol=sweep_protocol,
        pairs=found_pairs,
        pair=pair,
        paper=papers_models(finals.iloc[:0] if report.papers_own else finals),
        papers_setting=is_the_papers_setting(by_seed, metric, protocol, step),
        seeds=int(by_seed["seed"].nunique()) if len(by_seed) else 0,
        without_value=int((~finite).sum()),
        undirected=tuple(m for m in recorded if not metrics.direction_known(m)),
        effects=find_effects(parts, name),
        verdicts=decided,
        no_verdicts=undecided,
    )


def by_reference(rows: pd.DataFrame, metric: str) -> list[tuple[str, pd.DataFrame]]:
    """(name, rows) of each reference and extractor's weights that `metric` was measured against.

    One part with an empty name where there is only one, and where nothing was measured.
    """
    ours = rows[rows["of"].fillna("samples") == "samples"]
    measured = selection.measured(rows, metric)
    columns = ["reference_sha256", "extractor_sha256"]
    distinct = measured[columns].drop_duplicates().astype(object)
    if len(distinct) < 2:
        return [("", ours)]
    parts = []
    for reference, extractor in distinct.itertuples(index=False):
        same = ours["reference_sha256"].eq(reference).fillna(pd.isna(reference))
        same &= ours["extractor_sha256"].eq(extractor).fillna(pd.isna(extractor))
        name = f"reference {str(reference)[:6]}"
        if distinct["extractor_sha256"].nunique() > 1:
            name += f", weights {str(extractor)[:6]}"
        parts.append((name, ours[same]))
    told = [data_in_words(part, ours) for _, part in parts]
    if all(told) and len(set(told)) == len(told):  # what the images are tells more than a checksum
        return [(words, part) for words, (_, part) in zip(told, parts, strict=True)]
    return parts


def told_apart(
    rows: pd.DataFrame, parts: list[tuple[str, pd.DataFrame]], metric: str
) -> pd.DataFrame:
    """`rows` with the reference as part of the label, for runs that several references measured.

    Means over the rows of one label are taken in many places: of two references there is none.
    """
    runs = [set(selection.measured(part, metric)["run"].dropna()) for _, part in parts]
    twice = {run for i, own in enumerate(runs) for other in runs[:i] for run in own & other}
    against = pd.Series(None, index=rows.index, dtype=object)
    for name, part in parts:
        against[part.index[part["run"].isin(twice)]] = name
    return rows.assign(**{AGAINST: against})


def final_protocol(rows: pd.DataFrame, metric: str) -> Protocol | None:
    """How the compared values were measured."""
    found = selection.final_protocol(rows, metric)
    return found[0] if found else None


def beside_noise(
    rows: pd.DataFrame,
    part: pd.DataFrame,
    metric: str,
    frame: pd.DataFrame,
    protocol: Protocol | None,
    mark: str,
) -> pd.DataFrame:
    """A frame ready to be drawn, with whether its models learned anything."""
    found = ceiling_beside(rows, metric, protocol, part)
    higher = metrics.higher_is_better(metric)
    if found is None:
        return prepared(frame, mark, higher=higher)
    return prepared(frame, mark, found.value, higher, found.noise)


def fitted(
    final: pd.DataFrame, higher: bool
) -> tuple[dict[str, Correlations], dict[str, ScalingLaw], dict[str, str]]:
    """Correlation and scaling law of each group, and why there is no law."""
    correlations: dict[str, Correlations] = {}
    laws: dict[str, ScalingLaw] = {}
    reasons: dict[str, str] = {}
    if not len(final):
        return correlations, laws, reasons
    for group, part in final.groupby("group", sort=False):
        x, y = (part[c].to_numpy(float, na_value=np.nan) for c in ("gflops", "value"))
        s, df = errors(part)
        std = s if np.isfinite(s).all() else None
        with contextlib.suppress(BadInput):
            correlations[str(group)] = correlation(
                x, y, std, std_df=df, shared=error_correlations(part),
                one_spread=bool(of_one_spread(part).all()),
            )  # fmt: skip
        why = "more is better of this metric" if higher else why_no_law(x, y)
        known = correlations.get(str(group))
        if why is None and known is not None and known.pearson.low > 0:
            why = "these score worse with more compute, and the law is one of improvement"
        if why is None:
            try:
                own, common = in_common(part) or (std, None)
                laws[str(group)] = scaling_law(x, y, own, common_std=common)
            except BadInput as error:
                why = str(error)
        if why is not None:
            reasons[str(group)] = why
    return correlations, laws, reasons


def at_the_limit(
    rows: pd.DataFrame, metric: str, protocol: Protocol | None, step: int | None
) -> dict[str, ScalingLaw]:
    """Laws of the Frechet distance at infinitely many samples, where it was measured beside."""
    own = metrics.features(metric)
    names = [m for m in rows["metric"].dropna().unique() if metrics.kind(m) == "fd_infinity"]
    names = [m for m in names if metrics.features(m) == own]
    if protocol is None or metrics.kind(metric) != "fd" or len(names) != 1:
        return {}
    found = selection.of_the_same_samples(rows, str(names[0]), protocol, step)
    return fitted(prepared(found), False)[1]


def fronts(curves: pd.DataFrame, metric: str) -> pd.DataFrame:
    """`compute.frontier` of each group of curves."""
    if not len(curves):
        return compute.frontier(curves, metric)
    parts = [compute.frontier(p, metric) for _, p in curves.groupby("group", sort=False)]
    return pd.concat(parts, ignore_index=True)


def sampled(rows: pd.DataFrame, metric: str) -> tuple[pd.DataFrame, Any]:
    """Pairs of sizes at equal sampling compute, Holm over all, and the pair that survives.

    No headline where the study has several settings: they are not pooled.
    """
    sweep, _ = selection.sampling_sweep_rows(rows, metric)
    if not len(sweep):
        return pd.DataFrame(), None
    pairs = sampling.compare_pairs(sweep, metric)
    alone = sweep["label"].map(str).nunique() == sweep["model"].map(str).nunique()
    return pairs, sampling.headline_pair(sweep, metric) if alone and len(pairs) else None


def papers_models(final: pd.DataFrame) -> pd.DataFrame:
    """Table 3's rows (256 x 256, 400K steps) for the models of `final`, matched by size and patch.

    Each of the paper's models once, however often the study trained it (recipes, image sizes).
    Columns: label, model (both the paper's), size, patch_size, block, group, gflops, params, value
    (FID-50K), `OTHER` ("the paper").
    """
    found = []
    for row in final.to_dict("records"):
        name = counterpart(row)
        theirs = paper.model(name, block=str(row["block"])) if name else None
        if theirs is not None:
            found.append(
                {
                    "label": name if row["block"] == "adaln-zero" else f"{name} {row['block']}",
                    "model": name,
                    "size": row["size"],
                    "patch_size": row["patch_size"],
                    "block": row["block"],
                    "group": "",
                    "gflops": theirs["gflops"],
                    "params": theirs["params_m"] * 1e6,  # type: ignore[operator]
                    "value": theirs["fid50k_no_guidance"],
                    OTHER: "the paper",
                }
            )
    columns = ["label", "model", "size", "patch_size", "block", "group", "gflops", "params"]
    frame = pd.DataFrame(found, columns=[*columns, "value", OTHER])
    return frame.drop_duplicates("label", ignore_index=True)


def is_the_papers_setting(
    rows: pd.DataFrame, metric: str | None, protocol: Protocol | None, step: int | None
) -> bool:
    """Do the compared values measure what Table 3 does: FID-50K of 256 x 256 after 400K steps?"""
    if step != 400_000 or not (rows["image_size"] == 256).all():
        return False
    return measured_as_the_papers(rows, metric, protocol)


def interval(value: float, low: Any, high: Any) -> Interval:
    """The interval of a row's value; unknown limits are NaN."""
    ends = [np.nan if v is None or pd.isna(v) else float(v) for v in (low, high)]
    return Interval(float(value), *ends)
