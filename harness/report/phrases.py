"""Phrases that several sections say of the same findings."""

from __future__ import annotations

from harness.report.blocks import Block, Text, em, paragraph, strong
from harness.report.findings import Findings
from harness.report.wording import number, small_ints


def seeds(found: Findings) -> str:
    """Models of a half-finished study may have fewer than others."""
    fewer = bool((found.final["seeds"] < found.seeds).any())
    return f"{'up to ' if fewer else ''}{small_ints(found.seeds)} seeds"


def real_images(found: Findings) -> str:
    """A Frechet distance depends on the number of images, so it is said."""
    return "real images" if found.floor_images is None else f"{found.floor_images:,} real images"


def apart(found: Findings) -> str:
    return (
        f"They are measured against {small_ints(found.references)} references, each with images of "
        "its own, so that the values of one cannot be compared with another's. "
    )


def sampling_sentence(found: Findings) -> list[Text]:
    if not len(found.pairs):
        return []
    ahead = int((found.pairs["ahead"] == "larger").sum())
    spans: list[Text] = [
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


def trained(found: Findings) -> bool:
    """Was any one model measured at several steps?"""
    return bool((found.curves.groupby("label")["step"].nunique() > 1).any())


def missing(what: str, found: Findings) -> Block:
    more = "; see the first page for what is not done" if found.report.missing else ""
    return paragraph(em(f"{what}{more}."))


def floor_clause(found: Findings) -> list[Text]:
    if found.references > 1:
        return ["Each reference has a floor of its own. "]
    if found.floor is None:
        return ["No floor was measured. "]
    real = real_images(found)
    return [f"{real[0].upper()}{real[1:]} give {number(found.floor)} (dashed where in range). "]
