"""The abstract: what was measured, and no sentence that the records do not carry."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from harness.paper.evidence import Verdict
from harness.report.blocks import plain
from harness.report.findings import find
from harness.report.sections.abstract import WORDS, claims_sentence, measured, sentences


@pytest.fixture(scope="module")
def found(make):
    shape = {"sizes": ("S", "B", "XL"), "patches": (4, 2), "sweep": (), "milestones": (750, 1500)}
    return find(make.report(make.frames(**shape), ("gflops",)))


@pytest.mark.slow
def test_models_costs_steps_and_samples_are_counted(found) -> None:
    said = plain(measured(found))
    low, high = 1e3 * found.final["gflops"].min(), 1e3 * found.final["gflops"].max()
    assert said.startswith("Six models of ") and "Mflops per forward pass" in said
    assert f"{low:.3g} to {high:.3g}".split(" to ")[0] in said
    assert "trained for 1,500 steps with one training seed" in said
    assert "of 1,000 samples each; lower is better" in said
    one = dataclasses.replace(found, final=found.final.iloc[:1])
    assert plain(measured(one)).startswith("One model of ") and ", is measured" in plain(
        measured(one)
    )


def test_configurations_of_a_model_are_no_further_models(found) -> None:
    final = found.final.assign(model="DiT-micro-S/2")
    said = plain(measured(dataclasses.replace(found, final=final)))
    assert said.startswith("Six configurations of one model of ")


@pytest.mark.slow
def test_trainings_that_were_sampled_otherwise_are_counted_apart(make, found) -> None:
    frames = make.frames(sizes=("S", "B", "XL"), patches=(4,), sweep=())
    rows = frames["metrics"]
    other = rows["model"].eq("DiT-micro-S/4") & rows["of"].eq("samples")
    frames["metrics"] = rows.assign(sampler=rows["sampler"].mask(other, "flow-euler"))
    text = plain(sentences(find(make.report(frames))))
    assert "Two models of" in text
    assert "those sampled by ancestral; one other was sampled by flow-euler alone" in text
    assert "sampled by" not in plain(sentences(found))


@pytest.mark.slow
def test_a_study_without_a_measurement_counts_its_networks(make) -> None:
    empty = make.frames(sizes=())
    report = make.report(empty, ("gflops",), complexity=make.unets(), samples={})
    said = plain(sentences(find(report)))
    assert said.startswith("The paper's 12 models on embedded glyphs. No quality was measured; ")
    assert "counts 7 models." in said
    nothing = dataclasses.replace(report, complexity=(), about="")
    assert plain(sentences(find(nothing))) == "Nothing has been measured yet."


@pytest.mark.slow
def test_a_metric_whose_component_is_not_at_hand_is_ranked_nowhere(make) -> None:
    """Its direction would be a guess; its values alone make no report of quality."""
    frames = make.frames(sizes=("S", "B", "XL"), patches=(2,), sweep=(), milestones=(1500,))
    rows = frames["metrics"]
    theirs = rows[rows["metric"] == "recall_glyphs_cnn"].assign(metric="likeness_clip")
    for metrics in (pd.concat([rows, theirs], ignore_index=True), theirs.reset_index(drop=True)):
        found = find(make.report({**frames, "metrics": metrics}, ("gflops",)))
        assert found.metric == ("fd_glyphs_cnn" if len(metrics) > len(theirs) else None)
        said = plain(sentences(found))
        assert said.endswith(
            " Whether more or less of likeness_clip is better is not known here: its component is "
            "not available, so it is in no ranking of this report."
        )
    assert "No quality was measured" in said and "Nothing has been" not in said


@pytest.mark.slow
def test_the_studys_own_words_end_with_a_full_stop(make, found) -> None:
    for about, first in (("A  study\n of", "A study of. "), ("Why?", "Why? "), ("", "Six models")):
        report = dataclasses.replace(found.report, about=about)
        assert plain(sentences(dataclasses.replace(found, report=report))).startswith(first)


@pytest.mark.slow
def test_values_of_several_references_are_not_compared(found) -> None:
    said = plain(sentences(dataclasses.replace(found, references=2)))
    assert "measured against two references" in said and "Pearson" not in said
    assert "best" not in said


@pytest.mark.slow
def test_several_settings_are_not_pooled(make, found) -> None:
    final = pd.concat([found.final, found.final.assign(group="lr 1")], ignore_index=True)
    said = plain(sentences(dataclasses.replace(found, final=final)))
    assert "The study's two settings are not pooled" in said and "Pearson" not in said


def test_models_that_did_not_learn_are_counted(found) -> None:
    final = found.final.copy()
    final["learned"] = pd.Series([False, False, *[True] * (len(final) - 2)], dtype=object)
    said = plain(sentences(dataclasses.replace(found, final=final)))
    assert "Two of 6 did not learn: their FD is not told from decoded noise's" in said


def test_claims_are_counted_by_their_verdicts(found) -> None:
    kinds = ["supported", "supported", "contradicted", "undecided", "agrees, spread not published"]
    verdicts = [Verdict(str(i), "", "", kind, "numbers") for i, kind in enumerate(kinds)]
    verdicts.append(Verdict("x", "", "", "undecided", "not decidable: nothing"))
    said = plain(claims_sentence(dataclasses.replace(found, verdicts=verdicts)))
    assert said == (
        "These records speak of five of the paper's 6 claims and numbers: two supported, one in "
        "agreement without a published spread, one contradicted and one left open. "
    )
    assert claims_sentence(found) == []
    assert len(WORDS) == 5
