"""Notes on a study that is right, and whose values its reader should read with care."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from tiny_study import TINY

from harness.spec import Study, load_study
from harness.spec.remarks import UNTRAINED, remarks, too_narrow, young_averages


def tiny(tmp_path: Path, *overrides: str) -> Study:
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return load_study(path, overrides=overrides)


def of(tmp_path: Path, *overrides: str) -> list[str]:
    return remarks(tiny(tmp_path, *overrides))


def test_a_distance_of_fewer_samples_than_features_is_named_with_its_dimension(
    tmp_path: Path,
) -> None:
    pool, spatial = of(tmp_path)
    assert pool.startswith(
        "fd_glyphs_cnn: 40 generated samples and 60 reference samples for 64 dim"
    )
    assert spatial.startswith(
        "sfd_glyphs_cnn: 40 generated samples and 60 reference samples for 448 "
    )
    assert pool.endswith("strongly biased upwards (evaluations.final)")


def test_enough_of_both_sides_is_no_remark(tmp_path: Path) -> None:
    enough = ("evaluations.final.samples=500", "evaluations.final.split_size=500")
    assert of(tmp_path, *enough, "reference.images=500", "data.train_images=64") == []


def test_the_side_that_is_short_is_the_one_named(tmp_path: Path) -> None:
    metrics = "evaluations.final.metrics=[fd]"
    (said,) = of(tmp_path, metrics, "evaluations.final.samples=80", "reference.images=60")
    assert said.startswith("fd_glyphs_cnn: 60 reference samples for 64 dimensions")


@pytest.mark.slow
def test_models_too_narrow_for_the_noise_of_a_patch_are_named() -> None:
    def said(*overrides: str) -> list[str]:
        study = load_study("scaling", "laptop", overrides)
        return too_narrow(study)

    assert said() == []  # it predicts the image, which fewer channels can carry
    (line,) = said("objective=ddpm")
    assert line.startswith("fewer channels than a patch has numbers cannot carry the noise in it")
    # The five of twelve that drew noise when they were trained so.
    assert re.findall(r"DiT-micro-(\S+) \(", line) == ["S/8", "S/4", "B/8", "L/8", "XL/8"]
    assert "DiT-micro-XL/8 (96 channels, 192 numbers)" in line
    (line,) = said("objective={name: flow, prediction: velocity}")
    assert "the velocity in it" in line
    assert too_narrow(load_study("scaling", "imagenet256")) == []


def test_copies_of_mirror_images_that_are_not_looked_for_are_named(tmp_path: Path) -> None:
    for metric, flip, said in (
        ("near_copies", "true", True),
        ("near_copies", "false", False),
        ("{name: near_copies, mirrored: true}", "true", False),
    ):
        asked = (f"evaluations.final.metrics=[precision, {metric}]", f"data.flip={flip}")
        found = [line for line in of(tmp_path, *asked) if "mirror" in line]
        assert bool(found) == said, (metric, flip, found)
    (line,) = of(tmp_path, "evaluations.final.metrics=[near_copies]", "data.flip=true")
    assert "{name: near_copies, mirrored: true} (evaluations.final)" in line


OF_SOMEBODY = """\
from typing import ClassVar, Literal

from harness.components import Metric, Value


class Twins(Metric):
    "Tells copies."

    name: ClassVar[str] = "twins"
    title: ClassVar[str] = "twins"
    short_title: ClassVar[str] = "Twins"
    better: ClassVar[Literal["lower", "higher"]] = "lower"
    copying: ClassVar[bool] = True

    def measure(self, generated, reference, shared):
        return Value(0.0)


class Reflected(Twins):
    "Tells copies of mirror images too."

    name: ClassVar[str] = "reflected"

    both: bool = True
    "Look at mirror images too."

    @property
    def looks_mirrored(self):
        return self.both
"""


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ("twins", ["twins does not look for copies of them (evaluations.final)"]),
        ("reflected", []),
        (
            "{name: reflected, both: false}",
            ["reflected does not look for copies of them (evaluations.final)"],
        ),
    ],
)
def test_a_strangers_metric_of_copying_says_whether_it_looks_at_mirror_images(
    metric: str, said: list[str], tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text(OF_SOMEBODY)
    (tmp_path / "tiny.yaml").write_text(TINY + "components: [mine.py]\n")
    asked = (f"evaluations.final.metrics=[{metric}]", "data.flip=true")
    found = remarks(load_study(tmp_path / "tiny.yaml", overrides=asked))
    assert found == [f"data.flip trains on mirror images, and {line}" for line in said]


def test_a_metric_of_no_covariance_has_no_remark(tmp_path: Path) -> None:
    assert of(tmp_path, "evaluations.final.metrics=[precision, is]") == []


@pytest.mark.parametrize(("samples", "count"), [(2048, 1), (2050, 0), (2023, 2)])
def test_fid_and_sfid_have_their_own_dimensions(tmp_path: Path, samples: int, count: int) -> None:
    """2,048 samples span no 2,048 dimensions, and do span sFID's 2,023."""
    found = of(
        tmp_path,
        "reference.extractor=inception-2015",
        f"evaluations.final.samples={samples}",
        f"evaluations.final.split_size={samples}",
        "reference.images=5000",
    )
    assert [s.split(":")[0] for s in found] == ["fid", "sfid"][:count]
    dimensions = {s.split(":")[0]: s for s in found}
    assert all(("2048 dim" if name == "fid" else "2023 dim") in s for name, s in dimensions.items())


def test_evaluations_with_the_same_remark_share_it(tmp_path: Path) -> None:
    found = of(
        tmp_path,
        "evaluations.other={sampling_steps: 3, samples: 40, split_size: 40}",
    )
    assert len(found) == 2 and found[0].endswith("(evaluations.final, evaluations.other)")


def young(tmp_path: Path, *overrides: str) -> list[str]:
    return young_averages(tiny(tmp_path, *overrides))


def test_an_average_that_holds_untrained_weights_is_named_with_a_decay_that_would_not(
    tmp_path: Path,
) -> None:
    long = ("train.steps=800", "train.milestones=[400,800]", "train.ema=0.995")
    (said,) = young(tmp_path, *long)
    assert said == (
        "at step 400 the average of train.ema 0.995 still holds 13% of the untrained weights "
        "(evaluations.final): a decay of 0.98 or less, or train.ema_snapshots with ema_length, "
        "leaves them behind"
    )
    assert UNTRAINED > 0.98**400
    assert young(tmp_path, *long, "evaluations.final.at=[800]")[0].startswith("at step 800 ")
    assert young(tmp_path, *long, "train.ema=0.98") == []
    assert young(tmp_path, *long, "train.ema=[0.98,0.995]") == []  # the first is sampled from
    (second,) = young(tmp_path, *long, "train.ema=[0.98,0.995]", "evaluations.final.ema=0.995")
    assert "train.ema 0.995 still holds 13%" in second


def test_averages_by_relative_length_hold_no_untrained_weights(tmp_path: Path) -> None:
    kept = ("train.ema=0.995", "train.ema_snapshots.every=1", "evaluations.final.ema_length=0.1")
    assert young(tmp_path, *kept) == []


def test_the_papers_recipe_is_no_remark(tmp_path: Path) -> None:
    paper = ("train.steps=400000", "train.milestones=[50000,400000]", "train.ema=0.9999")
    assert young(tmp_path, *paper) == []


@pytest.mark.parametrize("step", [3, 17, 99, 100, 600, 50_000, 400_000])
def test_the_decay_that_is_proposed_is_below_the_limit(tmp_path: Path, step: int) -> None:
    given = (f"train.steps={step}", f"train.milestones=[{step}]", "train.ema=0.999999")
    (said,) = young(tmp_path, *given)
    proposed = float(said.partition("a decay of ")[2].split()[0])
    assert 0 < proposed < 1 and proposed**step <= UNTRAINED


def laptops() -> list[Path]:
    files = sorted((Path(__file__).parents[2] / "studies").glob("*.yaml"))
    return [p for p in files if "laptop" in yaml.safe_load(p.read_text())["profiles"]]


@pytest.mark.parametrize("path", laptops(), ids=lambda p: p.stem)
def test_a_shipped_study_of_a_laptop_averages_no_untrained_weights_or_its_header_says_so(
    path: Path,
) -> None:
    header = path.read_text().partition("\nstudy:")[0].replace("\n#", "")
    for said in young_averages(load_study(path, profile="laptop")):
        step, share = re.findall(r"step (\S+) .* holds (\d+)%", said)[0]
        assert "untrained" in header, said
        assert re.search(rf"\b{share} %.{{0,75}}\b{step}\b", header), said
