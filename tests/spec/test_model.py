"""The model section: a name, a family with its settings, or an imported checkpoint."""

from __future__ import annotations

from typing import Any

import pytest

from harness.spec.model import Model, choose
from harness.spec.source import Line, Source

WHERE = Source({}, {(): Line("s.yaml", 1), ("model",): Line("s.yaml", 4)})
XL2 = {"size": "XL", "patch_size": 2}


def chosen(**raw: Any) -> Model:
    problems: list[str] = []
    made = choose(raw, WHERE, problems)
    assert made is not None and not problems, problems
    return made


def test_a_short_name_is_its_family_size_and_patch_size() -> None:
    short, long = chosen(name="DiT-XL/2"), chosen(family="DiT", **XL2)
    assert short == long and short.same(long) and short.label == "DiT-XL/2"
    assert short.family == "DiT" and short.facts["patch_size"] == 2
    assert chosen(name="DiT-XL/2", **XL2) == short  # said twice, and the same
    assert chosen(**XL2) == short  # DiT where no family is named


def test_one_network_under_two_names_is_the_same() -> None:
    named = chosen(name="DiT-S/4")
    facts = {k: named.facts[k] for k in ("depth", "width", "heads", "patch_size")}
    assert chosen(**facts).same(named) and chosen(**facts).label != named.label
    assert not chosen(name="DiT-S/8").same(named)


def test_a_checkpoint_is_a_name_and_no_network_of_ours() -> None:
    theirs = chosen(checkpoint="theirs")
    assert (theirs.label, theirs.family, theirs.facts) == ("theirs", None, {})
    assert theirs.same(Model(None, "theirs")) and not theirs.same(Model(None, "others"))
    assert not theirs.same(chosen(name="DiT-S/4"))


def test_what_one_family_alone_has_stands_under_its_name() -> None:
    by_family = {"DiT": {"block": "adaln"}, "U-ViT": {"size": "S"}}
    dit = chosen(family="DiT", by_family=by_family, size="S", patch_size=2)
    assert dit.facts["block"] == "adaln"
    uvit = chosen(family="U-ViT", by_family=by_family, patch_size=2)
    assert uvit.family == "U-ViT"


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"name": 3}, "model.name is 3; it should be a name, as DiT-XL/2"),
        ({"name": "DiT-Q/2"}, "nearest names: DiT-"),
        ({"name": "DiT-S/2", "size": "B"}, "says size 'S', model.size says 'B': give one of them"),
        ({"name": "DiT-S/2", "family": "U-ViT"}, "says family 'DiT', model.family says 'U-ViT'"),
        ({"family": "U-Vit"}, "did you mean 'U-ViT'?"),
        ({"checkpoint": "x", "size": "S"}, "'x' brings its own size and patch size"),
        ({"checkpoint": "x", "name": "DiT-S/2"}, "brings its own size"),
        (
            {**XL2, "by_family": {"UViT": {}}},
            "by_family: unknown family 'UViT' (did you mean 'U-ViT'?); there are:",
        ),
        ({**XL2, "by_family": {"DiT": 3}}, "model.by_family.DiT is 3; it should be a mapping"),
        ({**XL2, "by_family": 3}, "it should be a mapping of families"),
        ({**XL2, "by_family": ("DiT",)}, "by_family is [DiT]; it should be a mapping of families"),
        ({**XL2, "family": ("DiT", "U-ViT")}, "model.family is [DiT, U-ViT]; it should be a name"),
        (
            {**XL2, "by_family": {"UNet": {"wdith": 3}}},
            "unknown field 'model.by_family.UNet.wdith' (did you mean 'width'?); allowed: ",
        ),
        ({**XL2, "by_family": {"UNet": {"family": "UNet"}}}, "model.by_family.UNet.family"),
        ({**XL2, "by_family": {"UNet": [3]}}, "by_family.UNet is [3]; it should be a mapping"),
        ({**XL2, "hieght": 3}, "unknown field 'model.hieght'"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(raw: dict[str, Any], said: str) -> None:
    problems: list[str] = []
    choose(raw, WHERE, problems)
    assert len(problems) == 1 and problems[0].startswith("s.yaml:4: "), problems
    assert said in problems[0]


def test_of_a_matrix_the_run_is_named() -> None:
    problems: list[str] = []
    assert choose({"name": 3}, WHERE, problems, {"model.name": 3}) is None
    assert problems[0].endswith("(in the run model.name=3)")
