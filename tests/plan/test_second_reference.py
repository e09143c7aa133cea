"""Evaluations of a plan. One with a reference of its own: the same samples, other features."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from in_process import here_alone
from tiny_study import TINY

from harness import load_results
from harness.cli import main
from harness.dispatch import preflight
from harness.errors import BadInput
from harness.plan import make_plan
from harness.plan.plan import Plan
from harness.spec import load_study
from harness.spec.few_references import too_few
from harness.spec.never import never
from harness.spec.remarks import remarks

OTHER = "{extractor: random-conv, images: 60, recall_images: 20}"


def own(reference: str = OTHER, metrics: str = "[fd]") -> str:
    return (
        f"evaluations.other={{at: end, sampling_steps: 50, samples: 20, metrics: {metrics}, "
        f"subsets: 0, reference: {reference}}}"
    )


SMOKE = Path(__file__).parents[2] / "studies" / "scaling.yaml"
FINAL = (
    "evaluations.final={at: end, sampling_steps: 50, samples: 20, metrics: [fd], subsets: 0}",
    "evaluations.over-training=null",
    "evaluations.sampling-compute=null",
)


def planned(*more: str) -> Plan:
    return make_plan(load_study(SMOKE, "smoke", [*FINAL, *more]))


def test_samples_are_shared_and_each_is_measured_against_both() -> None:
    alone, both = planned(), planned(own())
    assert alone.stages.keys() < both.stages.keys()  # no key moves
    new = [stage for key, stage in both.stages.items() if key not in alone.stages]
    assert {stage.kind for stage in new} == {"reference", "ceiling", "evaluate"}
    (reference,) = [stage for stage in new if stage.kind == "reference"]
    measured = [stage for stage in new if stage.kind == "evaluate"]
    assert len(measured) == 12
    assert {stage.inputs["reference"] for stage in measured} == {reference.key}
    samples = {stage.inputs["samples"] for stage in measured}
    assert samples == {key for key, stage in alone.stages.items() if stage.kind == "sample"}


def test_the_same_reference_once_more_is_no_other_stage() -> None:
    ours = (
        "{extractor: glyphs-cnn, extractor_images: 500, extractor_steps: 20, images: 200, "
        "recall_images: 100, floor_images: 100}"
    )
    stages = planned(own(reference=ours)).stages.values()
    assert len([stage for stage in stages if stage.kind == "reference"]) == 1


def test_each_stage_is_given_its_own_references_files(tmp_path: Path) -> None:
    weights = "{extractor: dinov2, extractor_weights: mine.pth, images: 60, recall_images: 20}"
    plan = planned(own(reference=weights))
    places = {
        (stage.kind, stage.evaluation): plan.place(stage).extractor_weights
        for stage in plan.stages.values()
        if "reference" in (stage.kind, *stage.inputs)
    }
    assert {its for (_, name), its in places.items() if name == "other"} == {"mine.pth"}
    assert {its for (_, name), its in places.items() if name != "other"} == {None}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("{extractor: random-conv, images: 1}", "evaluations.other.reference.images is 1"),
        ("{extractor: random-conw}", "evaluations.other.reference.extractor is 'random-conw'"),
        ("{extractor: inception-2015, statistics_sha256: ab}", "give reference.statistics"),
        ("{extractor: random-conv, held_out: true}", "evaluations.other.reference.held_out"),
        ("{extractor: digits-cnn}", "evaluations.other.reference.extractor"),
    ],
)
def test_what_is_wrong_with_it_is_said_by_its_field(reference: str, said: str) -> None:
    with pytest.raises(BadInput) as error:
        planned(own(reference=reference))
    assert said in str(error.value)


def test_metrics_are_checked_against_its_features() -> None:
    with pytest.raises(BadInput, match=r"evaluations\.other\.metrics cannot be had"):
        planned(own(metrics="[is]"))
    ten = "{extractor: random-conv, images: 60, recall_images: 10}"
    few = load_study(SMOKE, "smoke", [*FINAL, own(ten, "[{name: kid, subset_size: 20}]")])
    assert list(too_few(few)) == ["other"]


def test_remarks_are_about_its_own_features() -> None:
    study = load_study(SMOKE, "smoke", [*FINAL, own()])
    said = [each for each in remarks(study) if "evaluations.other" in each]
    assert said and all("fd_random_conv" in each for each in said)


def test_without_images_the_samples_are_drawn_once_for_each_and_that_is_said() -> None:
    none = "evaluations.{}.keep_images=none"
    study = load_study(SMOKE, "smoke", [*FINAL, own(), none.format("final"), none.format("other")])
    assert any(each.startswith("final and other draw the same samples") for each in remarks(study))
    kinds = [stage.kind for stage in make_plan(study).stages.values()]
    assert kinds.count("sample") == 24


def test_its_missing_files_are_found_before_anything_starts() -> None:
    weights = "{extractor: dinov2, extractor_weights: nowhere.pth, images: 60, recall_images: 20}"
    plan = planned(own(reference=weights))
    found = preflight.problems(plan, list(plan.stages.values()))
    assert any("nowhere.pth" in each for each in found)
    none = planned(own("{extractor: dinov2, images: 60, recall_images: 20}"))
    found = preflight.problems(none, list(none.stages.values()))
    assert any("--set evaluations.other.reference.extractor_weights" in each for each in found)


@pytest.mark.parametrize(
    "reference",
    [
        "{extractor: glyphs-cnn, statistics: mine.npz}",
        "{extractor: random-conv, extractor_sha256: abc}",
    ],
)
def test_what_no_machine_can_compute_is_said_by_its_field(reference: str) -> None:
    study = load_study(SMOKE, "smoke", [*FINAL, own(reference)])
    assert any("evaluations.other.reference." in each for each in never(study))


@pytest.mark.slow
def test_a_run_measures_the_same_samples_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here_alone(monkeypatch)
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(TINY)
    given = "evaluations.other={at: end, sampling_steps: 2, samples: 8, metrics: [fd], subsets: 0, \
reference: {extractor: random-conv, images: 60, recall_images: 20, floor_images: 10}}"
    small = [
        "matrix.axes.model.size=[S]",
        "train.milestones=[6]",
        "evaluations.final.samples=8",
        "evaluations.final.split_size=8",
        "report.sections=[models, provenance]",
    ]
    assert main(["run", "tiny.yaml", *(w for o in [given, *small] for w in ("--set", o))]) == 0
    metrics = load_results("results")["metrics"]
    other = metrics[metrics["metric"] == "fd_random_conv"]
    assert set(other["of"]) == {"samples", "floor", "ceiling"}
    assert other["reference_sha256"].nunique() == 1
    assert not set(other["reference_sha256"]) & set(
        metrics[metrics["metric"] == "fd_glyphs_cnn"]["reference_sha256"]
    )


@pytest.mark.parametrize("path", sorted(SMOKE.parent.glob("*.yaml")), ids=lambda p: p.stem)
def test_every_imagenet_profile_measures_dinov2_beside_fid(path: Path) -> None:
    for name in yaml.safe_load(path.read_text())["profiles"]:
        if not name.startswith("imagenet"):
            continue
        study = load_study(path, name)
        features = {study.reference_of(e).extractor.name for e in study.evaluations}  # type: ignore[union-attr]
        assert features in ({"inception-2015", "dinov2"}, set())  # none: complexity alone
