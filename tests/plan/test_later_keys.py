"""Keys of settings that came after the golden file was written: what they were first, they are.

tests/data/frozen/keys.json.gz holds what an early version planned. A setting of a later day has its
word in a stage's canonical text, and where that word changes, keys move. Each such setting stands
in tests/data/frozen/later.json with a digest, per kind of stage, of the keys that it had when that
file was written: only of kinds whose keys are not those of the study without it.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from planned import plan_of
from tiny_study import TINY

from harness.components import files, registry
from harness.plan import keys
from harness.plan.plan import Plan
from harness.plan.stages import STAGE_SETTINGS

LATER: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "data" / "frozen" / "later.json").read_text()
)


def digests(plan: Plan) -> dict[str, str]:
    kinds: dict[str, list[str]] = {}
    for key, stage in plan.stages.items():
        kinds.setdefault(stage.kind, []).append(key)
    return {
        kind: hashlib.sha256(",".join(sorted(those)).encode()).hexdigest()[:16]
        for kind, those in kinds.items()
    }


@pytest.mark.parametrize("name", list(LATER))
def test_a_later_setting_has_the_keys_that_it_had_first(name: str, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, *LATER[name]["overrides"])
    assert digests(plan) == {**LATER["nothing"]["keys"], **LATER[name]["keys"]}
    for stage in plan.stages.values():  # written by hand in parts, for speed
        assert stage.settings == keys.canonical(json.loads(stage.settings))


OURS = {"family": "DiT-micro", "objective": "ddpm", "sampler": "ddim", "source": "arrays",
        "extractor": "random-conv", "metric": "fd", "optimizer": "muon",
        "schedule": "cosine"}  # fmt: skip
BROUGHT = "from typing import ClassVar\n\nfrom harness import components\n" + "".join(
    f"""

class Our{kind.title()}(components.get({kind!r}, {name!r})):
    name: ClassVar[str] = "our-{name}"
    version: ClassVar[int] = {version}
    serves: ClassVar[tuple[str, ...]] = ("our-ddpm",)
    on_inception: ClassVar[str | None] = None
"""
    for version, (kind, name) in enumerate(OURS.items(), 1)
)


@pytest.fixture
def brought(tmp_path: Path) -> Iterator[Plan]:
    """A plan whose every component is a stranger's: one of ours under another name."""
    (tmp_path / "ours_again.py").write_text(BROUGHT)
    data = {"name": "mine", "source": {"name": "our-arrays"}, "path": "x", "image_size": 8}
    yield plan_of(
        tmp_path,
        f"data={json.dumps({**data, 'channels': 1, 'num_classes': 4, 'train_images': 100})}",
        "model.family=our-DiT-micro",
        "objective=our-ddpm",
        "train.optimizer=our-muon",
        "train.schedule={name: our-cosine}",
        "reference={extractor: our-random-conv, floor_images: 20}",
        "evaluations.final={metrics: [our-fd], sampler: our-ddim}",
        text=TINY + "components: [ours_again.py]\n",
    )
    registry.forget_files()
    for name, _ in list(files._loaded.items()):
        sys.modules.pop(name, None)
        del files._loaded[name]


@pytest.mark.slow
def test_what_a_stranger_brought_is_in_each_key_with_its_version(brought: Plan) -> None:
    number = {f"{kind}:our-{name}": n for n, (kind, name) in enumerate(OURS.items(), 1)}
    named = {kind: next(k for k in number if k.startswith(kind)) for kind in OURS}
    expected = {
        "encode": ("source",),
        "complexity": ("family",),
        "train": ("family", "objective", "optimizer", "schedule"),
        "reference": ("source", "extractor"),
        "sample": ("sampler",),
        "floor": ("metric",),
        "ceiling": ("metric",),
        "evaluate": ("metric",),
        "subset": ("metric",),
    }
    assert {stage.kind for stage in brought.stages.values()} == set(expected)
    for stage in brought.stages.values():
        text = json.loads(stage.settings)
        assert text["components"] == {named[k]: number[named[k]] for k in expected[stage.kind]}
        assert stage.settings == keys.canonical(text)
        assert (
            STAGE_SETTINGS[stage.kind].model_validate_json(stage.settings).components
            == (text["components"])
        )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nothing", ""),
        ("guidance in an interval", ", guidance 1.5 on 1 channels at timesteps 100 to 900"),
        ("guidance of all channels", ", guidance 1.5 on all channels"),
        ("samples of a further average", ", EMA 0.99"),
        ("an average by its length", ", EMA of length 0.08"),
        ("a decoder", ", decoder ft-mse"),
    ],
)
def test_a_samples_label_says_what_is_not_as_usual(name: str, words: str, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, *LATER[name]["overrides"])
    labels = {s.label.split(": ")[1] for s in plan.stages.values() if s.kind == "sample"}
    assert labels == {f"40 samples, 2 steps{words}"}


def test_of_three_channels_guidance_is_said_by_its_scale(tmp_path: Path) -> None:
    colour = [each for each in LATER["files"]["overrides"] if "guidance" not in each]
    plan = plan_of(tmp_path, *colour, "evaluations.final.guidance={scale: 2, channels: 3}")
    assert any(stage.label.endswith("2 steps, guidance 2") for stage in plan.stages.values())


@pytest.mark.parametrize(
    "name", ["a floor through the autoencoder", "a floor of two through the autoencoder"]
)
def test_every_floor_and_ceiling_is_listed_with_its_evaluation(name: str, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, *LATER[name]["overrides"])
    bounds = {key for key, s in plan.stages.items() if s.kind in ("floor", "ceiling")}
    assert plan.floors == {key: {"final": None} for key in bounds} and len(bounds) == 3


def test_a_reference_is_planned_for_the_first_run_and_the_evaluation_whose_own_it_is(
    tmp_path: Path,
) -> None:
    plan = plan_of(tmp_path, *LATER["a reference of its own"]["overrides"])
    found = [(s.run, s.evaluation) for s in plan.stages.values() if s.kind == "reference"]
    assert found == [(0, None), (0, "final")]
    two = plan_of(tmp_path, "evaluations.final.floor_images=2")
    assert any("2 real images" in s.label for s in two.stages.values())


@pytest.mark.parametrize(
    "without", [("evaluations.final=null",), ("evaluations.final=null", "reference=null")]
)
def test_a_study_may_train_and_measure_nothing(without: tuple[str, ...], tmp_path: Path) -> None:
    plan = plan_of(tmp_path, *without, "report.sections=[models]")
    assert {s.kind for s in plan.stages.values()} == {"complexity", "encode", "train"}
    assert not plan.measurements
