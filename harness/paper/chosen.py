"""Claims of a study's own: pairs of models that it named before the data were seen."""

from __future__ import annotations

from harness.analysis.sampling import compare_pairs
from harness.paper import pair_id
from harness.paper.evidence import (
    CONTRADICTED,
    SUPPORTED,
    UNDECIDED,
    Evidence,
    Verdict,
    nothing,
)


def decide_pair(smaller: str, larger: str, evidence: Evidence) -> Verdict:
    """A pair that a study named beforehand: is the larger ahead at equal sampling compute?

    The names are labels, or models where each has one label.
    """
    said = f"{larger} is ahead of {smaller} at equal sampling compute"
    name, where = pair_id(smaller, larger), "this study"
    rows = evidence.sweep
    if not len(rows):
        return Verdict(name, where, said, *nothing("no sweep over sampling steps"))
    labels = {}
    for one in (smaller, larger):
        own = rows[(rows["label"] == one) | (rows["model"] == one)]["label"].unique()
        if len(own) != 1:
            what = "was not swept" if not len(own) else "was swept in several settings"
            return Verdict(name, where, said, *nothing(f"{one} {what}"))
        labels[one] = str(own[0])
    found = compare_pairs(rows, evidence.metric, [(labels[smaller], labels[larger])])
    if not len(found):
        cost = rows.drop_duplicates("label").set_index("label")["gflops"].astype(float)
        what = "no common range of sampling compute"
        if cost[labels[smaller]] >= cost[labels[larger]]:
            what = f"{larger} has no more Gflops than {smaller}"
        return Verdict(name, where, said, *nothing(what))
    row = found.iloc[0]
    words = f"{row['ratio']:.3f} times better ({row['ratio_low']:.3f} to {row['ratio_high']:.3f})"
    verdict = {"larger": SUPPORTED, "smaller": CONTRADICTED}.get(str(row["ahead"]), UNDECIDED)
    return Verdict(name, where, said, verdict, words)
