"""The numbers of the paper's text beside records of the same setting."""

from __future__ import annotations

import pandas as pd
import pytest

from harness import paper
from harness.errors import BadInput
from harness.paper.evidence import Evidence, papers_evidence
from harness.paper.numbers import decide_numbers
from harness.store.tables import METRICS


def records(value, std, **changes):
    row = {
        "metric": "fid", "value": value, "std": std, "of": "samples", "model": "DiT-XL/2",
        "size": "XL", "patch_size": 2, "family": "DiT", "block": "adaln-zero", "run": "r",
        "gflops": 118.64, "seed": 0, "step": 400_000, "samples": 10_000, "sampling_steps": 128,
        "guidance_scale": 1.0, "image_size": 256, "reference_sha256": "r", **changes,
    }  # fmt: skip
    return pd.DataFrame([row], columns=[c.name for c in METRICS])


def of(name, metrics, evidence=None):
    found = {v.id: v for v in decide_numbers(evidence or Evidence(), metrics)}
    assert list(found) == [r["id"] for r in paper.table("claims")]
    return found[name]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("value", "std", "verdict"),
    [(23.8, 0.2, "supported"), (30.0, 0.2, "contradicted"), (24.5, 3.0, "undecided"),
     (23.7, None, "undecided")],
)  # fmt: skip
def test_a_measured_number_is_judged_by_its_interval(value, std, verdict):
    assert of("sampling-xl2-128-fid10k", records(value, std)).verdict == verdict


@pytest.mark.slow
@pytest.mark.parametrize(
    ("value", "std_df", "verdict"),
    [
        (22.0, None, "contradicted"),  # 21.61 to 22.39; 5 % below 23.7 are 22.515
        (22.8, None, "undecided"),
        (22.95, None, "supported"),  # 22.56 to 23.34
        (24.4, None, "supported"),  # 24.01 to 24.79; 5 % above are 24.885
        (24.4, 4.0, "undecided"),  # a spread of few draws: 2.78 standard errors, 23.84 to 24.96
        (24.6, None, "undecided"),
        (25.3, None, "contradicted"),  # 24.91 to 25.69
    ],
)
def test_five_percent_on_either_side_are_near(value, std_df, verdict):
    found = of("sampling-xl2-128-fid10k", records(value, 0.2, std_df=std_df))
    assert found.verdict == verdict


@pytest.mark.slow
def test_the_words_say_the_number_and_its_interval():
    found = of("sampling-xl2-128-fid10k", records(23.8, 0.2))
    assert found.said == "DiT-XL/2 FID-10K at 128 sampling steps: 23.7 FID"
    assert found.numbers == "23.80 (23.41 to 24.19)"
    alone = of("sampling-xl2-128-fid10k", records(23.8, None))
    assert alone.numbers == "23.80, without a standard error"
    other = records(23.8, 0.2).assign(metric="kid")
    assert "no FID was measured" in of("sampling-xl2-128-fid10k", other).numbers


GUIDED = {"samples": 50_000, "step": 7_000_000, "guidance_scale": 1.5, "guidance_channels": 3}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "own", "others"),
    [
        (
            "sampling-xl2-128-fid10k",
            {},
            [
                {"samples": 5000}, {"sampling_steps": 64}, {"step": 200_000}, {"step": None},
                {"model": "DiT-L/2"}, {"block": "in-context"}, {"image_size": 512},
                {"guidance_scale": 1.5}, {"sampler": "ddim", "eta": 0.0}, {"objective": "flow"},
                {"batch_size": 1024}, {"learning_rate": 2e-4}, {"ema_length": 0.1}, {"ema": 0.5},
            ],
        ),
        ("sampling-xl2-128-fid10k", {"guidance_scale": None, "batch_size": 256}, []),
        (
            "cfg-3ch-1.5",
            GUIDED,
            [
                {"guidance_channels": None}, {"guidance_channels": 4}, {"guidance_scale": 1.25},
                {"guidance_scale": 1.0}, {"step": 2_350_000}, {"samples": 10_000},
                {"guidance_low": 100.0, "guidance_high": 600.0},
            ],
        ),
        (
            "cfg-4ch-1.375",
            {**GUIDED, "guidance_scale": 1.375, "guidance_channels": None},
            [{"guidance_channels": 3}, {"guidance_scale": 1.5}],
        ),
    ],
)  # fmt: skip
def test_a_number_of_another_setting_is_not_this_number(name, own, others):
    """Nor does one that stands beside it change it."""
    value = next(float(r["value"]) for r in paper.table("claims") if r["id"] == name)
    for change in others:
        assert not of(name, records(value, 0.001, **{**own, **change})).decidable, change
    beside = [records(99.0, 0.1, **{**own, **change}) for change in others]
    metrics = pd.concat([*beside, records(value, 0.001, **own)], ignore_index=True)
    found = of(name, metrics)
    assert found.verdict == "supported" and found.numbers.startswith(f"{value:.2f} (")


@pytest.mark.slow
def test_of_several_ways_that_the_paper_does_not_tell_apart_one_is_taken_and_no_mean():
    steps = [records(value, 0.001, **{**GUIDED, "sampling_steps": n})
             for value, n in ((4.0, 50), (2.27, 250))]  # fmt: skip
    assert of("cfg-3ch-1.5", pd.concat(steps, ignore_index=True)).numbers.startswith("2.27 (")


def test_of_two_trainings_neither_is_the_papers():
    def by(*recipes: str) -> pd.DataFrame:
        parts = [records(23.7, 0.001, recipe=recipe) for recipe in recipes]
        return pd.concat(parts, ignore_index=True)

    # The paper trained without weight decay: of these two one is by its recipe.
    found = of("sampling-xl2-128-fid10k", by('{"weight_decay":0.0}', '{"weight_decay":0.1}'))
    assert found.verdict == "supported"
    recipes = [by(f'{{"precision":"{p}"}}') for p in ("bf16", "float32")]
    found = of("sampling-xl2-128-fid10k", pd.concat(recipes, ignore_index=True))
    assert not found.decidable and "several settings: DiT-XL/2 " in found.numbers


@pytest.mark.slow
def test_seeds_of_one_setting_are_averaged():
    seeds = [records(23.7 + 0.1 * k, 0.2, seed=k, run=str(k)) for k in (-1, 1)]
    found = of("sampling-xl2-128-fid10k", pd.concat(seeds, ignore_index=True))
    assert found.numbers.startswith("23.70 (")


@pytest.mark.parametrize(
    ("gflops", "verdict"),
    [(118.26, "contradicted"), (118.4, "supported"), (119.1, "supported"), (119.2, "contradicted")],
)
def test_counts_agree_to_the_last_digit(gflops, verdict):
    """15.2 Tflops of 128 steps: 15.15 to 15.25, so 118.36 to 119.14 Gflops."""
    name, final = "sampling-xl2-128-tflops", records(1.0, 0.1).assign(gflops=gflops)
    assert of(name, None, Evidence(final=final)).verdict == verdict
    small = final.drop(columns="image_size")
    assert of(name, None, Evidence(final=small)).verdict == verdict


def test_a_count_is_of_the_papers_model_alone():
    name, final = "sampling-xl2-128-tflops", records(1.0, 0.1)
    others = [final.assign(gflops=9.0, **change) for change in
              ({"model": "DiT-L/2"}, {"block": "in-context"}, {"image_size": 512})]  # fmt: skip
    found = of(name, None, Evidence(final=pd.concat([*others, final])))
    assert found.numbers == "118.64 Gflops × 128 steps = 15.2 Tflops"
    assert found.verdict == "supported"
    assert "DiT-XL/2 was not counted here" in of(name, None, Evidence(others[0])).numbers
    for other in others:
        assert not of(name, None, Evidence(final=other)).decidable
    assert not of(name, None, Evidence(final=final.drop(columns="model"))).decidable


def test_the_papers_own_tables_hold_some_of_them():
    own = papers_evidence()
    for name in ("sampling-l2-1000-tflops", "sampling-xl2-128-tflops", "cfg-3ch-1.5"):
        assert of(name, None, own).verdict == "agrees, spread not published"
    assert not of("tpu-throughput", None, own).decidable


def test_an_unknown_claim_is_refused_by_name():
    with pytest.raises(BadInput, match="unknown claim 'bigger-helps'"):
        paper.chosen_ids(["bigger-helps"])
    assert len(paper.chosen_ids(None)) == 32


def test_a_definition_is_no_finding():
    rows = pd.DataFrame({"train_gflops": [3 * 6.0 * 256 * 100], "gflops": [6.0],
                         "batch_size": [256], "step": [100], "value": [50.0]})  # fmt: skip
    said = of("compute-factor", pd.DataFrame(), Evidence(curves=rows))
    assert not said.decidable and "definition" in said.numbers
    third = rows.assign(train_gflops=rows["train_gflops"] / 3)
    other = of("compute-factor", pd.DataFrame(), Evidence(curves=third))
    assert other.verdict == "contradicted" and other.numbers == "factor 1"
    unknown = [{"step": None}, {"train_gflops": 0.0}, {"gflops": 0.0}, {"batch_size": None}]
    for change in unknown:  # such rows tell nothing, and hide nothing
        both = pd.concat([rows, rows.assign(**change)], ignore_index=True)
        assert "definition" in of("compute-factor", None, Evidence(curves=both)).numbers, change
        alone = of("compute-factor", None, Evidence(curves=rows.assign(**change)))
        assert not alone.decidable and "was counted" in alone.numbers
    lacking = of("compute-factor", None, Evidence(curves=rows.drop(columns="batch_size")))
    assert not lacking.decidable and "was counted" in lacking.numbers
    assert "was counted" in of("compute-factor", None, Evidence(curves=rows.iloc[:0])).numbers
    no_value = rows.assign(value=None)
    assert "definition" in of("compute-factor", None, Evidence(curves=no_value)).numbers
    first_step = rows.assign(step=1, train_gflops=3 * 6.0 * 256)
    assert "definition" in of("compute-factor", None, Evidence(curves=first_step)).numbers


def test_the_crossing_is_decided_as_the_sentence_is():
    found = of("xl4-vs-xl2", pd.DataFrame())
    assert not found.decidable and "no curves over training" in found.numbers


def test_a_claim_of_one_number_is_written_as_a_person_would() -> None:
    """They said "factor: 3.0 ratio" and "10000000000.0 Gflops"."""
    said = {v.id: v.said for v in decide_numbers(papers_evidence())}
    assert said["compute-factor"] == "training compute = Gflops × batch × steps × 3"
    assert said["xl4-vs-xl2"].endswith("beyond this training compute: 10¹⁰ Gflops")
    assert not any(".0 " in words or "  " in words for words in said.values())
