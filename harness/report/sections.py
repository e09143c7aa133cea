"""The sections that show trends; each builder returns its blocks, or says what is missing.

Every sentence is chosen by the numbers it states, so that it is true whatever they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from harness.analysis import compute
from harness.report import complexity, figures, guidance, mosaic, tables, wording
from harness.report.blocks import Block, Span, em, figure, heading, paragraph, ref, strong
from harness.report.findings import Findings
from harness.report.wording import at, count, listed, number, signed, small_ints


def headline(found: Findings) -> list[Block]:
    """What is missing, and the abstract: the study's own numbers in a few sentences."""
    blocks: list[Block] = []
    missing = list(found.report.missing)
    if missing:
        shown, rest = missing[:8], len(missing) - 8
        parts = "part" if len(missing) == 1 else "parts"
        spans: list[Span] = [f"{small_ints(len(missing)).capitalize()} {parts} of this study "]
        spans += ["is" if len(missing) == 1 else "are", " not done, and nothing below stands in "]
        spans += [f"for {'it' if len(missing) == 1 else 'them'}: ", "; ".join(shown)]
        spans.append(f"; and {rest:,} more." if rest > 0 else ".")
        blocks.append({"kind": "note", "title": "Unfinished.", "spans": spans})
    blocks.append({"kind": "abstract", "spans": _abstract(found)})
    return blocks


def _abstract(found: Findings) -> list[Span]:
    about = " ".join(found.report.about.split())
    spans: list[Span] = [about + ("" if about.endswith((".", "!", "?")) else ".") + " "]
    spans = spans if about else []
    if not len(found.final):
        n = len({r["model"] for r in found.report.complexity})
        spans.append(
            f"No quality was measured; this report counts {count(n, 'model')}."
            if n
            else "Nothing has been measured yet."
        )
        return spans
    unit, scale = wording.gflops_unit(float(found.final["gflops"].max()))
    low, high = found.final["gflops"].min() / scale, found.final["gflops"].max() / scale
    n = len(found.final)
    cost = f"{number(low)} to {number(high)}" if number(low) != number(high) else number(high)
    spans.append(f"{small_ints(n).capitalize()} {'models' if n > 1 else 'model'} of {cost} {unit} ")
    trained = "" if found.step is None else f" trained for {count(found.step, 'step')},"
    if found.seeds > 1:
        trained = f"{trained.rstrip(',')} with {_seeds(found)},"
    spans.append(
        f"per forward pass,{trained} {'are' if n > 1 else 'is'} measured by {found.title}, "
        f"of which {found.better}. "
    )
    if found.references > 1:
        spans.append(_apart(found))
        return spans
    if found.correlation is not None:
        strength, verdict = wording.trend(found.correlation, found.higher)
        spans += [
            verdict[0].upper() + verdict[1:] + ": the Spearman correlation of model compute and ",
            f"{found.short} is ",
            strong(signed(found.correlation.spearman)),
            {"strong": " (strong)", "moderate": " (moderate)", "weak": " (weak)"}.get(strength, ""),
        ]
        if found.paper_correlation is not None and found.paper_correlation.models >= 3:
            theirs = signed(found.paper_correlation.spearman)
            spans.append(f"; for the same models of the paper it is {theirs}")
        spans.append(". ")
    best = _best(found)
    if n > 1:
        spans += ["The best model, ", f"{best['label']}, reaches ", strong(number(best["value"]))]
    else:
        spans += [f"{best['label']} reaches ", strong(number(best["value"]))]
    if found.floor is not None:
        spans.append(f"; {_real(found)} give {number(found.floor)}")
    spans.append(". ")
    spans += _sampling_sentence(found)
    return spans


def _seeds(found: Findings) -> str:
    """Models of a half-finished study may have fewer than others."""
    fewer = bool((found.final["seeds"] < found.seeds).any())
    return f"{'up to ' if fewer else ''}{small_ints(found.seeds)} seeds"


def _real(found: Findings) -> str:
    """A Frechet distance depends on the number of images, so it is said."""
    return "real images" if found.floor_images is None else f"{found.floor_images:,} real images"


def _apart(found: Findings) -> str:
    return (
        f"They are measured against {small_ints(found.references)} references, each with images of "
        "its own, so that the values of one cannot be compared with another's. "
    )


def _best(found: Findings) -> dict[str, Any]:
    rows = found.final.sort_values("value", ascending=not found.higher, kind="stable")
    return {str(k): v for k, v in rows.iloc[0].items()}


def _sampling_sentence(found: Findings) -> list[Span]:
    if not len(found.pairs):
        return []
    ahead = int((found.pairs["ahead"] == "larger").sum())
    spans: list[Span] = [
        "At equal sampling compute the larger of two models is ahead in ",
        strong(f"{ahead} of {len(found.pairs)}"),
        f" {'pair' if len(found.pairs) == 1 else 'pairs'}",
    ]
    same = found.pairs[found.pairs["same_patch"]]
    if 0 < len(same) < len(found.pairs):
        alike = int((same["ahead"] == "larger").sum())
        spans.append(f" ({alike} of the {len(same)} with the same patch size)")
    p = found.pair
    if p is not None:
        spans.append(
            f"; {p.larger} with {p.larger_steps} sampling steps ({number(p.larger_value)}) is "
            f"better than {p.smaller} with {p.smaller_steps} ({number(p.smaller_value)}) at "
            f"{number(p.saving, 2)} times less compute"
        )
    else:
        spans.append("; no larger model beats a smaller one with fewer steps and less compute")
    return [*spans, "."]


def gflops(found: Findings) -> list[Block]:
    """Figure 8."""
    title = heading("Model compute and quality")
    if not len(found.final):
        return [title, _missing("No model has a measured quality yet", found)]
    assert found.protocol is not None
    spans: list[Span] = [ref("fig-gflops"), " sets model compute against quality. "]
    c, law = found.correlation, found.law
    if c is not None:
        strength, _ = wording.trend(c, found.higher)
        spans.append(
            {
                "strong": "The correlation is strong",
                "moderate": "The correlation is moderate",
                "weak": "The correlation is weak",
                "none": "There is no clear correlation",
                "opposite": "The correlation goes against the expected direction",
            }[strength]
        )
        spans.append(
            f": Spearman {signed(c.spearman)} (p {_p(c.p_value)}, {c.models} models), "
            f"Pearson {signed(c.pearson)} with the logarithm of Gflops. "
        )
        if len(c.spearman_by_seed) > 1:
            low, high = min(c.spearman_by_seed), max(c.spearman_by_seed)
            spans.append(f"Seed by seed, Spearman is {signed(low)} to {signed(high)}. ")
    elif found.references > 1:
        spans.append(_apart(found))
    else:
        spans.append(
            "The models do not differ in compute or quality, so there is nothing to correlate. "
            if len(found.final) > 2
            else "A correlation needs at least three models. "
        )
    if law is not None:
        over = f" ± {law.exponent_std:.3f} over seeds" if law.exponent_std is not None else ""
        exponent = f"{law.exponent:.3f}".replace("-", "−")
        spans.append(
            f"A power law in Gflops fits with the exponent {exponent}{over} (standard error "
            f"{law.stderr:.3f}; R² = {math.floor(law.r2 * 100) / 100:.2f} of the logarithm). "
        )
    sizes = compute.steps_forward(found.final, found.metric or "", "size")
    patches = compute.steps_forward(found.final, found.metric or "", "patch_size")
    told = [
        f"{what} improves it in {better} of {total} cases"
        for what, (better, total) in (
            ("one size up at the same patch size", sizes),
            ("a smaller patch at the same size", patches),
        )
        if total
    ]
    if told:
        spans.append(listed(told)[0].upper() + listed(told)[1:] + ". ")
    if found.without_value:
        lost = count(found.without_value, "recorded row has", "recorded rows have")
        spans.append(f"{lost} no finite value and {'is' if found.without_value == 1 else 'are'} ")
        spans.append("left out. ")
    caption: list[Span] = [
        strong("Gflops against quality. "),
        f"{found.title} {at(found.step)} ({found.protocol.sentence()}; {found.better}). ",
    ]
    if law is not None:
        caption.append("Line: power law. ")
    caption += _floor_clause(found)
    if found.seeds > 1:
        caption.append(f"Means of {_seeds(found)}; bars: standard deviation. ")
    if len(found.paper) >= 3:
        caption.append("Right: the same models in the paper (its Table 3), another metric.")
    drawn = figures.svg(figures.gflops(found))
    wide = len(found.paper) >= 3
    return [title, paragraph(*spans), figure("gflops", drawn, caption, wide=wide)]


def training(found: Findings) -> list[Block]:
    """Figure 6."""
    title = heading("Quality over training")
    if not _trained(found):
        return [title, _missing("Quality was not measured at more than one training step", found)]
    assert found.curves_protocol is not None
    steps = sorted(int(s) for s in found.curves["step"].unique())
    spans: list[Span] = [
        ref("fig-training"),
        f" follows {count(found.curves['label'].nunique(), 'model')} over training, measured at ",
        f"{count(len(steps), 'step')} from {steps[0]:,} to {steps[-1]:,}. ",
    ]
    ordered = []
    for what, along in (("size", "size"), ("patch size", "patch_size")):
        cases = [
            compute.steps_forward(
                found.curves[found.curves["step"] == s], found.metric or "", along
            )
            for s in steps
        ]
        better, total = sum(b for b, _ in cases), sum(t for _, t in cases)
        if total:
            ordered.append(f"the next {'larger' if along == 'size' else 'smaller'} {what} is ")
            ordered[-1] += f"better in {better} of {total} comparisons"
    if ordered:
        spans.append(f"Over all steps, {listed(ordered)}. ")
    caption: list[Span] = [
        strong("Quality over training. "),
        f"{found.title}, {found.curves_protocol.sentence()}. ",
    ]
    if len(figures.training_rows(found.curves)) == 2:
        caption.append("Above: model size grows at a fixed patch size p. Below: patches shrink. ")
    caption += _floor_clause(found)
    if found.seeds > 1:
        caption.append("Bands: standard deviation over seeds.")
    plot = figures.training(found)
    drawn, wide = figures.svg(plot), bool(plot.get_figwidth() > 4)
    return [title, paragraph(*spans), figure("training", drawn, caption, wide=wide)]


def training_compute(found: Findings) -> list[Block]:
    """Figure 9."""
    title = heading("Training compute and quality")
    if not _trained(found):
        return [title, _missing("Quality was not measured at more than one training step", found)]
    front = found.frontier
    if not len(front):
        return [title, _missing("The compute of the trainings is not known", found)]
    first, last = front.iloc[0], front.iloc[-1]
    members = list(dict.fromkeys(front.sort_values("gflops")["label"]))
    spans: list[Span] = [
        ref("fig-training-compute"),
        " counts training compute as the paper does: Gflops × batch × steps × 3. The best quality "
        "at each compute (grey band) ",
    ]
    if len(members) == 1:
        spans.append(f"always belongs to {members[0]}. ")
    else:
        spans.append(
            f"passes from {first['label']} at {number(first['train_gflops'])} Gflops to "
            f"{last['label']} at {number(last['train_gflops'])} and is held by "
            f"{small_ints(len(members))} of {small_ints(found.curves['label'].nunique())} models. "
        )
    drawn = figures.svg(figures.training_compute(found))
    caption: list[Span] = [
        strong("Training compute against quality. "),
        f"{found.title}. Each line is a model, each mark a checkpoint. ",
        *_floor_clause(found),
    ]
    return [title, paragraph(*spans), figure("training-compute", drawn, caption)]


def sampling_compute(found: Findings) -> list[Block]:
    """Figure 10."""
    title = heading("Sampling compute and quality")
    if not len(found.sweep):
        return [title, _missing("No model was sampled at more than one number of steps", found)]
    assert found.sweep_protocol is not None
    counts = sorted(int(n) for n in found.sweep["sampling_steps"].unique())
    spans: list[Span] = [
        ref("fig-sampling-compute"),
        f" samples every model with {listed(map(str, counts))} steps. ",
    ]
    spans += _sampling_sentence(found)
    if len(found.pairs):
        gain = math.exp(float(np.log(found.pairs["ratio"].to_numpy(float)).mean()))
        better = "better" if gain >= 1 else "worse"
        spans.append(
            f" On average over pairs the larger is {number(max(gain, 1 / gain))} times {better} "
            "where the two can be compared. "
        )
        enough = (found.pairs["ahead"] == "larger").mean()
        if enough >= 0.9 and len(found.pairs) > 2:
            spans.append("More sampling steps do not make up for a smaller model.")
        elif enough <= 0.5:
            spans.append("The paper's finding, that the larger model wins, is not seen here.")
    caption: list[Span] = [
        strong("Sampling compute against quality. "),
        f"{found.title}, {found.sweep_protocol.sentence()}. ",
        *_floor_clause(found),
    ]
    if found.pair is not None:
        caption.append(
            f"Rings: {found.pair.larger} at {found.pair.larger_steps} steps is better, with less "
            f"compute, than {found.pair.smaller} at {found.pair.smaller_steps}."
        )
    drawn = figures.svg(figures.sampling(found))
    return [title, paragraph(*spans), figure("sampling-compute", drawn, caption)]


def samples(found: Findings) -> list[Block]:
    """Figure 7."""
    title = heading("Samples")
    if not found.report.samples:
        return [title, _missing("No samples are kept", found)]
    block = mosaic.mosaic(found.report.samples)
    block["caption"] = [
        strong("Samples of every model "),
        f"({found.report.samples_how}) " if found.report.samples_how else "",
        "from the same starting noise, sampling noise and labels",
        "; pixels enlarged, not smoothed." if block.pop("enlarged") else ".",
    ]
    spans: list[Span] = [
        ref("fig-samples"),
        " shows what the numbers measure: image by image, only the model differs.",
    ]
    return [title, paragraph(*spans), block]


def blocks(found: Findings) -> list[Block]:
    """Figure 5."""
    title = heading("Block designs")
    designs = found.curves["block"].nunique() if len(found.curves) else 0
    if not _trained(found):
        return [title, _missing("Quality was not measured at more than one training step", found)]
    if designs < 2:
        return [title, _missing("Fewer than two block designs were measured", found)]
    final = found.final.sort_values("value", ascending=not found.higher)
    places = [f"{r['block']} ({number(r['value'])})" for r in final.to_dict("records")]
    spans: list[Span] = [
        ref("fig-blocks"),
        f" compares the designs; best to worst {at(found.step)}: {listed(places)}. ",
        "In the paper the order is adaln-zero, adaln, cross-attention, in-context.",
    ]
    caption: list[Span] = [strong("Block designs over training. "), f"{found.title}. "]
    drawn = figures.svg(figures.blocks(found))
    return [
        title,
        paragraph(*spans),
        figure("blocks", drawn, [*caption, *_floor_clause(found)]),
    ]


def _trained(found: Findings) -> bool:
    """Was any one model measured at several steps?"""
    return bool((found.curves.groupby("label")["step"].nunique() > 1).any())


def _missing(what: str, found: Findings) -> Block:
    more = "; see the first page for what is not done" if found.report.missing else ""
    return paragraph(em(f"{what}{more}."))


def _floor_clause(found: Findings) -> list[Span]:
    if found.references > 1:
        return ["Each reference has a floor of its own. "]
    if found.floor is None:
        return ["No floor was measured. "]
    real = _real(found)
    return [f"{real[0].upper()}{real[1:]} give {number(found.floor)} (dashed where in range). "]


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.2g}"


BUILDERS: dict[str, Callable[[Findings], list[Block]]] = {
    "headline": headline,
    "gflops": gflops,
    "training": training,
    "training-compute": training_compute,
    "sampling-compute": sampling_compute,
    "samples": samples,
    "models": tables.models,
    "blocks": blocks,
    "complexity": complexity.complexity,
    "guidance": guidance.guidance,
    "decoders": guidance.decoders,
    "comparison": tables.comparison,
    "provenance": tables.provenance,
}
