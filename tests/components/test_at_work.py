"""What stages ask of a stranger's component at work is held to its contract, call by call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from harness.components import Input, Value, at_work, files, registry
from harness.errors import BadInput

EXAMPLE = Path(__file__).parents[1] / "example_components" / "harness_example"
ROWS, Z = 3, torch.zeros(3, 3, 8, 8)
INPUT = Input(8, 3, 3, 3)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    yield
    registry.forget_files()


@pytest.fixture
def brought(tmp_path: Path) -> Callable[..., Any]:
    """A component of the example package, from a study's own file, with a fault in its text."""

    def bring(
        module: str, kind: str, name: str, good: str = "", bad: str = "", **given: Any
    ) -> Any:
        content = (EXAMPLE / f"{module}.py").read_text()
        assert good in content
        (tmp_path / f"theirs_{module}.py").write_text(content.replace(good, bad, 1))
        files.of_study([f"theirs_{module}.py"], tmp_path)
        return registry.get(kind, name)(**given)

    return bring


def broken(said: str) -> Any:
    return pytest.raises(BadInput, match=f"of file theirs_.* breaks its contract: {said}")


def test_a_family_builds_a_network_that_can_be_trained(brought: Callable[..., Any]) -> None:
    bad = brought("family", "family", "plain-cnn", "return Network(self.width)", "return None")
    with broken("build gave a NoneType, which lacks parameters, state_dict, forward"):
        bad.build(INPUT)
    network = brought("family", "family", "plain-cnn").build(INPUT, checkpointing=True)
    assert isinstance(network, nn.Module)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("generator.random(count + 1)", r"draw_times gave a ndarray of shape \(4,\), not times"),
        (
            "list(generator.random(count))",
            r"draw_times gave a list, not times \(N,\) of the 3 rows",
        ),
        (
            "2 + generator.random(count)",
            r"draw_times gave the time 2\.\d+, outside of its time_range",
        ),
        ("0 * generator.random(count) + float('nan')", "draw_times gave the time nan, outside"),
    ],
)
def test_times_are_one_for_each_row_and_in_their_range(
    brought: Callable[..., Any], bad: str, said: str
) -> None:
    arc = brought("objective", "objective", "arc", "generator.random(count)", bad)
    with broken(said):
        arc.draw_times(np.random.default_rng(0), ROWS)


@pytest.mark.parametrize("end", [0.0, 1.0])
def test_both_ends_of_the_range_are_times(brought: Callable[..., Any], end: float) -> None:
    drawn = f"0 * generator.random(count) + {end}"
    arc = brought("objective", "objective", "arc", "generator.random(count)", drawn)
    assert arc.draw_times(np.random.default_rng(0), ROWS).tolist() == [end] * ROWS


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        (
            ".mean(dim=(1, 2, 3))}",
            ".mean()}",
            r'training_losses gave as "loss" a Tensor of shape \(',
        ),
        ('{"loss": (found', '{"mse": (found', r"training_losses gave the names \['mse'\], not a"),
        ('return {"loss": (f', "return [(f", "never read"),
    ],
)
def test_losses_are_one_for_each_row(
    brought: Callable[..., Any], good: str, bad: str, said: str
) -> None:
    if said == "never read":
        good, bad = ".mean(dim=(1, 2, 3))}", ".mean(dim=(1, 2, 3))}['loss']"
        said = r"training_losses gave a Tensor of shape \(3,\), not a mapping with"
    arc = brought("objective", "objective", "arc", good, bad)
    with broken(said):
        arc.training_losses(lambda x, t, y: x, Z, torch.zeros(ROWS), Z, y=torch.zeros(ROWS))


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        ("        return x\n", "        return x[:, :1]\n", r"sample gave .* of the noise's shape"),
        ("        return x\n", "        return None\n", "sample gave a NoneType, not samples"),
        (
            "**condition)\n            now",
            "**condition)\n            denoise(x, given)\n            now",
            "sample asked the network 8 times in 4 steps, where `times` and `evaluations` say 4",
        ),
    ],
)
def test_a_sampler_asks_the_network_as_often_as_it_says(
    brought: Callable[..., Any], good: str, bad: str, said: str
) -> None:
    def sampled(sampler: Any) -> torch.Tensor:
        found = sampler.sample(None, lambda x, t, **_: x, Z + 1, 4, lambda step: Z, y=None)
        assert isinstance(found, torch.Tensor)
        return found

    with broken(said):
        sampled(brought("sampler", "sampler", "arc-steps", good, bad))
    assert sampled(brought("sampler", "sampler", "arc-steps")).shape == Z.shape


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("return None", "open gave a NoneType, which lacks class_names, fingerprint"),
        ("return list(zip(images, labels))", "open gave a list, which lacks class_names"),
    ],
)
def test_a_source_opens_images(brought: Callable[..., Any], bad: str, said: str) -> None:
    good = 'return ArrayImages(images, labels, ["small", "middle", "large"])'
    wanted = SimpleNamespace(seed=0, split="train", count=4, image_size=8, channels=3)
    with broken(said):
        brought("source", "source", "rings", good, bad).open(wanted)
    assert len(brought("source", "source", "rings").open(wanted)) == 4


def test_a_source_that_makes_its_images_makes_as_many_as_are_asked(
    brought: Callable[..., Any],
) -> None:
    wanted = SimpleNamespace(seed=0, split="train", count=4, image_size=8, channels=3)
    few = "count, size = (wanted.count or 2) // 2"
    rings = brought("source", "source", "rings", "count, size = wanted.count or 1", few)
    with broken("open made 2 images, where 4 were asked for"):
        rings.open(wanted)
    wanted.count = None  # as many as it likes
    assert len(rings.open(wanted)) == 1


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        (
            "self.name, self.device = name, device",
            "self.device = device",
            "load gave a Filters, which lacks name of a loaded",
        ),
        (
            "self.name, self.device = name",
            'self.name, self.device = "inception-2015"',
            "load gave a network called 'inception-2015': its metrics would be recorded as an",
        ),
        ("self.sha256 = ", "self.sha256 = None and ", "load gave a network whose sha256 is None"),
        ("self.sha256 = ", "self.sha256 = '' and ", "load gave a network whose sha256 is ''"),
    ],
)
def test_a_loaded_extractor_says_who_it_is(
    brought: Callable[..., Any], good: str, bad: str, said: str
) -> None:
    with broken(said):
        brought("extractor", "extractor", "random-filters", good, bad).load()


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        ("(dim=(2, 3))}", "(dim=(0, 2, 3))}", r'as "pool" a Tensor of shape \(16,\), not \(N, D\)'),
        ('{"pool": ', '{"feat": ', r"the parts \['feat'\], without pool"),
        ("(dim=(2, 3))}", "(dim=(2, 3))}['pool']", r"a Tensor of shape \(3, 16\), not a mapping"),
    ],
)
def test_features_are_one_row_for_each_image(
    brought: Callable[..., Any], good: str, bad: str, said: str
) -> None:
    images = torch.zeros(ROWS, 3, 8, 8, dtype=torch.uint8)
    with pytest.raises(BadInput, match=f"'random-filters' breaks its contract: .* gave {said}"):
        brought("extractor", "extractor", "random-filters", good, bad).load()(images)
    network = brought("extractor", "extractor", "random-filters").load()
    assert network(images)["pool"].shape == (ROWS, 16) and network.resize == "none"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("None", "a NoneType, not a harness.components.Value"),
        ("value", "a float, not a harness.components.Value"),
        ('Value("7")', "a Value whose value is '7', not a number"),
        ("Value(1 + 2j)", r"a Value whose value is \(1\+2j\), not a number"),
        ("Value(True)", "a Value whose value is True, not a number"),
        ("Value(None)", "a Value whose value is None, not a number"),
        ("Value(value, -1.0, 3)", r"the standard error -1\.0"),
        ('Value(value, "small", 3)', "a Value whose std is 'small', not a number"),
    ],
)
def test_a_metric_gives_a_value(brought: Callable[..., Any], given: str, said: str) -> None:
    good = 'return Value(value, std, len(along) - 1, "standard error along the gap")'
    generated = SimpleNamespace(pool=np.random.default_rng(0).random((5, 2)))
    reference = SimpleNamespace(pool=SimpleNamespace(mean=np.zeros(2)))
    with broken(f"measure gave {said}"):
        brought("metric", "metric", "mean-gap", good, f"return {given}").measure(
            generated, reference, None
        )
    plain = "return Value(np.float32(value), np.float64(std), np.int64(4))"  # numbers as well
    found = brought("metric", "metric", "mean-gap", good, plain).measure(generated, reference, None)
    assert isinstance(found, Value) and found.std_df == 4
    certain = "return Value(value, 0.0, None)"  # of images that are all alike
    found = brought("metric", "metric", "mean-gap", good, certain).measure(
        generated, reference, None
    )
    assert found.std == 0.0 and found.std_df is None


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("return None", "build gave a NoneType, which lacks step, zero_grad"),
        (
            "return Steps(groups[:1], {})",
            "build gave an optimizer of 1 of the network's 2 parameters",
        ),
    ],
)
def test_an_optimizer_has_every_parameter(brought: Callable[..., Any], bad: str, said: str) -> None:
    good = 'return Steps(groups, {"momentum": self.momentum})'
    groups = [{"params": [nn.Parameter(torch.zeros(2))], "lr": 0.1} for _ in range(2)]
    with broken(said):
        brought("optimizer", "optimizer", "sign-momentum", good, bad).build(groups)
    assert brought("optimizer", "optimizer", "sign-momentum").build(groups).param_groups


def test_an_autoencoder_loads_a_codec(brought: Callable[..., Any]) -> None:
    bad = brought("autoencoder", "autoencoder", "folded", "return Folding()", "return None")
    with broken("load gave a NoneType, which lacks encode, decode, sha256, decoder_sha256"):
        bad.load(weights=None, device="cpu")
    assert brought("autoencoder", "autoencoder", "folded").load().scale == 1.0


def test_what_it_raises_itself_goes_on_as_it_is(brought: Callable[..., Any]) -> None:
    arc = brought("objective", "objective", "arc", "generator.random(count)", "1 / 0")
    with pytest.raises(ZeroDivisionError):
        arc.draw_times(np.random.default_rng(0), ROWS)


def test_a_class_is_held_once_and_ours_are_not(brought: Callable[..., Any]) -> None:
    cls = type(brought("objective", "objective", "arc"))
    before = cls.draw_times
    assert at_work.held(cls, "somebody").draw_times is before
    ours = registry.get("objective", "ddpm")
    assert not hasattr(at_work.held(ours, "we").draw_times, "_is_held")
