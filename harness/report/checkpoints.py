"""Table 3 at all steps: cost and quality of each model at every measured step of its training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from harness import paper
from harness.analysis import metrics, selection
from harness.analysis.protocol import Protocol
from harness.report import tables, wording
from harness.report.blocks import Block, Cell, Text, ref, strong, table
from harness.report.counterpart import counterpart, is_the_papers, measured_as_the_papers
from harness.report.findings import Findings
from harness.report.phrases import PAPER, trained
from harness.report.prepared import prepared
from harness.report.tables import ARROW, class_scores, half

MOST = 60  # rows of the table; the CSV has all
NEAR = 0.01  # share of a number of steps: the paper's 2.35M are 2,352,000
FACTS = ("label", "model", "block", "image_size", "size", "patch_size", "params", "gflops")
TRAINING = ("step", "train_gflops", "batch_size", "learning_rate", "seeds")


def blocks(found: Findings, names: list[str]) -> list[Block]:
    """The table of the metrics `names`, a row per model and step.

    [] where no model was measured at two.
    """
    protocol = followed(found)
    if protocol is None or not names:
        return []
    every = values(found, names, protocol)
    if not trained(every):
        return []
    rows = shown(every, MOST)
    return [_table(found, names, protocol, rows, every)]


def followed(found: Findings) -> Protocol | None:
    """How the values of all steps were measured.

    As the compared ones are where those were measured over training too, else as the curves were.
    """
    if found.protocol is None or found.metric is None:
        return None
    own = selection.at_every_step(found.report.frames["metrics"], found.metric, found.protocol)
    return found.protocol if trained(own) else found.curves_protocol


def values(found: Findings, names: list[str], protocol: Protocol) -> pd.DataFrame:
    """One row per model and step, by patch size, Gflops and step.

    Columns: facts of the model and its training, `learned`, and of each metric its name, with
    _low and _high for its interval; paper_fid and difference where the setting is the paper's.
    """
    frame = found.report.frames["metrics"]
    parts = {
        m: prepared(selection.at_every_step(frame, m, protocol), higher=metrics.higher_is_better(m))
        for m in names
    }
    keys = ["label", "step"]
    every = pd.concat(parts.values(), ignore_index=True).drop_duplicates(keys)
    order = pd.DataFrame({"patch": -every["patch_size"].astype(float).fillna(0)})
    order = order.assign(**{c: every[c] for c in ("gflops", "label", "step")})
    every = every.loc[order.sort_values(list(map(str, order))).index]
    out = every.reindex(columns=[*FACTS, *TRAINING]).reset_index(drop=True)
    for m, part in parts.items():
        named = {"value": m, "low": f"{m}_low", "high": f"{m}_high"}
        out = out.merge(part[[*keys, *named]].rename(columns=named), "left", on=keys)
    known = {(r["label"], r["step"]): r["learned"] for r in found.curves.to_dict("records")}
    same = found.curves_protocol is not None and found.curves_protocol.drawn == protocol.drawn
    learned = [known.get(k) if same else None for k in zip(out["label"], out["step"], strict=True)]
    out["learned"] = pd.Series(learned, index=out.index, dtype=object)
    measured = selection.measured(frame, found.metric or "")
    measured = measured[[p.drawn == protocol.drawn for p in measured["protocol"]]]
    as_paper = {
        label
        for label, part in measured.groupby("label", sort=False)
        if measured_as_the_papers(part, found.metric, protocol)
    }
    facts = every.to_dict("records")
    theirs = [published(r) if r["label"] in as_paper else None for r in facts]
    if any(v is not None for v in theirs):
        out["paper_fid"] = pd.Series(theirs, index=out.index, dtype=float)
        out["difference"] = out[found.metric or ""].astype(float) - out["paper_fid"]
    return out


def published(row: Mapping[Any, Any]) -> float | None:
    """The paper's FID-50K of this network at this step; None where Table 3 has none."""
    if not is_the_papers(row):
        return None
    name = counterpart(row)
    for r in paper.table("table3_models"):
        same = r["model"] == name and r["image_size"] == row["image_size"]
        steps = 1000 * int(r["train_steps_k"])  # type: ignore[arg-type]
        if same and r["block"] == row["block"] and abs(row["step"] - steps) <= NEAR * steps:
            return float(r["fid50k_no_guidance"])  # type: ignore[arg-type]
    return None


def shown(every: pd.DataFrame, most: int) -> pd.DataFrame:
    """At most `most` rows: of each model as many at even distances, its last among them, and those
    that the paper has."""
    if len(every) <= most:
        return every
    each = max(1, most // every["label"].nunique())
    kept: list[int] = []
    for _, part in every.groupby("label", sort=False):
        last = len(part) - 1
        at = {last - round(i * last / max(1, each - 1)) for i in range(min(each, len(part)))}
        if "paper_fid" in part:
            at |= {i for i, v in enumerate(part["paper_fid"].notna()) if v}
        kept += [int(part.index[i]) for i in sorted(at)]
    return every.loc[kept[:most]]


def _table(
    found: Findings, names: list[str], protocol: Protocol, rows: pd.DataFrame, every: pd.DataFrame
) -> Block:
    unit, scale = wording.gflops_unit(float(rows["gflops"].max()))
    costs = wording.apart((rows["gflops"].astype(float) / scale).to_list())
    with_paper = "paper_fid" in rows
    head: list[str | Cell] = ["Model", "Params", unit, "Steps"]
    head += [f"{tables.head(found, m)} {ARROW[metrics.higher_is_better(m)]}" for m in names]
    head += ["the paper's", "differ."] if with_paper else []
    body: list[list[str | Cell]] = []
    rules: list[int] = []
    before = None
    for r, cost in zip(rows.to_dict("records"), costs, strict=True):
        if before not in (None, r["label"]):
            rules.append(len(body))
        before = r["label"]
        failed = " †" if r["learned"] is False else ""
        line: list[str | Cell] = [f"{r['label']}{failed}", wording.parameters(r["params"]), cost]
        line.append(tables.whole(r["step"]))
        line += [wording.cell(r[m], r[f"{m}_low"], r[f"{m}_high"]) for m in names]
        if with_paper:
            value, low, high = (r[f"{found.metric}{c}"] for c in ("", "_low", "_high"))
            published = r["paper_fid"]
            line.append(wording.DASH if pd.isna(published) else f"{published:.2f}")
            line.append(tables.less(value, low, high, published))
        body.append(line)
    caption: list[Text] = [
        strong("The models at every measured step. "),
        f"{_trained(every)}{protocol.sentence()[:1].upper()}{protocol.sentence()[1:]}. ",
        half(body),
        class_scores(names),
    ]
    if found.protocol is not None and protocol.drawn != found.protocol.drawn:
        caption += ["Measured otherwise than ", ref("tab-models"), ": the values of one do not "]
        caption.append("compare with the other's. ")
    if any(r["learned"] is False for r in rows.to_dict("records")):
        caption.append("† not told from decoded noise. ")
    if found.seeds > 1:
        caption.append(f"Means over {found.seeds} training seeds. ")
    if with_paper:
        caption.append(
            f"FID-50K of {PAPER}, Table 3, and ours less it; the interval is ours alone. "
        )
    if len(rows) < len(every):
        caption.append(
            f"Of {len(every):,} rows {len(rows):,} stand here; checkpoints.csv beside the report "
            "has all. "
        )
    return table(
        "checkpoints",
        "l" + "r" * (len(head) - 1),
        [head],
        body,
        caption,
        wide=True,
        rules=rules if len(rules) <= 20 else (),
        size=7.4,
        gap=3.4,
        data=every,
    )


def _trained(rows: pd.DataFrame) -> str:
    """Batch and rate where all rows share them; else they are part of the labels."""
    said = []
    for column, words in (("batch_size", "batch {:,.0f}"), ("learning_rate", "learning rate {:g}")):
        known = rows[column].dropna().unique()
        if len(known) == 1 and rows[column].notna().all():
            said.append(words.format(float(known[0])))
    text = ", ".join(said)
    return f"{text[:1].upper()}{text[1:]}. " if said else ""
