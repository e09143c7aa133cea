"""What claims are decided from, and the words of their verdicts."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from harness import paper

SUPPORTED, CONTRADICTED, UNDECIDED = "supported", "contradicted", "undecided"
NOT_DECIDABLE = "not decidable: "
AGREES, DISAGREES = "agrees, spread not published", "disagrees, spread not published"


@dataclass(frozen=True)
class Verdict:
    """A claim, its verdict by these numbers, and the numbers."""

    id: str
    where: str
    said: str
    verdict: str
    numbers: str  # a clause with every number the verdict rests on
    setting: str = ""  # of the study's recipes and references, where there are several

    @property
    def decidable(self) -> bool:
        """Had these records anything to say of it?"""
        return not self.numbers.startswith(NOT_DECIDABLE)


@dataclass(frozen=True)
class Evidence:
    """Frames that claims are decided from; each may be empty. One metric, one protocol, one
    reference.

    `final`: quality per model at the compared step (selection.final_quality). `curves`: over
    training (selection.over_training); `finished`: its checkpoints that compare at equal training
    compute (selection.over_finished). `sweep`: over sampling steps (sampling_sweep_rows).
    `others`: `final` of other metrics by their recorded names. `losses`: of the main series
    (adaln_zero), columns label, gflops, step, loss. `published`: the values are the paper's and
    have no spread.
    """

    metric: str = "fid"
    final: pd.DataFrame = field(default_factory=pd.DataFrame)
    curves: pd.DataFrame = field(default_factory=pd.DataFrame)
    finished: pd.DataFrame = field(default_factory=pd.DataFrame)
    sweep: pd.DataFrame = field(default_factory=pd.DataFrame)
    others: dict[str, pd.DataFrame] = field(default_factory=dict)
    losses: pd.DataFrame = field(default_factory=pd.DataFrame)
    published: bool = False


def adaln_zero(e: Evidence) -> pd.DataFrame:
    """The rows of the main series: one block, the paper's adaLN-Zero where there are several."""
    if "block" not in e.final or e.final["block"].nunique() < 2:
        return e.final
    return e.final[e.final["block"] == "adaln-zero"]


def papers_evidence() -> Evidence:
    """The paper's Table 3 as evidence: 256 x 256, 400K steps, FID-50K without guidance."""
    table = pd.DataFrame(paper.table("table3_models"))
    rows = table[(table["image_size"] == 256) & (table["train_steps_k"] == 400)]
    names = rows["model"].str.extract(r"DiT-(?P<size>\w+)/(?P<patch_size>\d+)")
    final = rows.assign(
        label=[m if b == "adaln-zero" else f"{m} {b}"
               for m, b in zip(rows["model"], rows["block"], strict=True)],
        size=names["size"], patch_size=names["patch_size"].astype(int), family="DiT",
        params=rows["params_m"] * 1e6, value=rows["fid50k_no_guidance"],
    )  # fmt: skip
    return Evidence(final=final.reset_index(drop=True), published=True)


def nothing(what: str) -> tuple[str, str]:
    """The verdict of a claim that needs records which are not here: `what` they are."""
    return UNDECIDED, NOT_DECIDABLE + what


def evidence(metrics: pd.DataFrame, training: pd.DataFrame | None = None) -> Evidence:
    """Evidence from the records of a study: `load_results` tables `metrics` and `training`.

    The primary metric at its widest protocol. Nothing where values rest on several references: they
    do not compare.
    """
    from harness.analysis import selection
    from harness.analysis.averaging import averaged
    from harness.analysis.metrics import primary_metric

    metric = primary_metric(metrics)
    if metric is None:
        return Evidence()
    rows = selection.final_rows(metrics, metric)
    if rows["reference_sha256"].nunique() > 1:
        return Evidence(metric=metric)
    chosen = selection.final_protocol(metrics, metric)
    others = {}
    if chosen is not None:
        for name in sorted(set(metrics["metric"].dropna()) - {metric}):
            other = selection.of_the_same_samples(metrics, str(name), *chosen)
            if len(other):
                others[str(name)] = other
    losses = pd.DataFrame()
    if training is not None and len(training):
        main = adaln_zero(Evidence(final=rows))
        gflops = main.drop_duplicates("run").set_index("run")["gflops"]
        known = training[training["run"].isin(gflops.index)]
        known = known.assign(gflops=known["run"].map(gflops), label=known["model"])
        mean = known.groupby(["label", "gflops", "step"])["loss"].mean()
        losses = mean.reset_index()
    return Evidence(
        metric=metric,
        final=averaged(rows, ("step",)),
        curves=selection.over_training(metrics, metric)[0],
        finished=selection.over_finished(metrics, metric)[0],
        sweep=selection.sampling_sweep_rows(metrics, metric)[0],
        others=others,
        losses=losses,
    )
