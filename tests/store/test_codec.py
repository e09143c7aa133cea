"""Manifests and results of this version and of those before it; a newer one is not lost."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from harness.plan.stages import STAGE_SETTINGS
from harness.store import Store, codec
from harness.store.codec import (
    FORMAT,
    CorruptArtifact,
    FileEntry,
    Manifest,
    Measured,
    UnreadableArtifact,
    UnreadableResult,
)
from harness.store.results import (
    RESULTS,
    CeilingResult,
    ComplexityResult,
    EncodeResult,
    EvaluateResult,
    FloorResult,
    ReferenceResult,
    SampleResult,
    SubsetResult,
    TrainResult,
)

KEY = "a" * 64
COLUMNS = {"model": "DiT-S/2", "gflops": 6.06, "step": 4, "recipe": {"ema": 0.9}, "size": None}
EXAMPLES = (
    EncodeResult("glyphs", 8, 40, (1, 8, 8), 10, "b" * 64, "identity", None, "c" * 64, 2),
    ComplexityResult("DiT-S/2", 6.06, 6.1, 33_000_000, 5, 256, {"depth": 12}),
    TrainResult(COLUMNS, {"depth": 12}, {"name": "flow"}, None, "d" * 64, 3.5),
    SampleResult({**COLUMNS, "sampling_steps": 5}, KEY, 8, "none", None, "e" * 64),
    ReferenceResult("glyphs-cnn", "f" * 64, "none", "0" * 64, 60, "glyphs", {"accuracy": 0.5}),
    FloorResult(40, {"kid_x": "too few images"}),
    CeilingResult(40, {"kid_x": "too few images"}),
    SubsetResult(30, {"kid_x": "too few images"}),
    EvaluateResult({"is_glyphs_cnn": "too few images"}),
)


def manifest(result: Any, **about: Any) -> Manifest:
    kind = next(name for name, cls in RESULTS.items() if cls is type(result))
    data = codec.written(kind, KEY, {"x": FileEntry(1, "9")}, codec.told(result), {}, about)
    return codec.read(json.loads(json.dumps(data)), kind, KEY, "here")


@pytest.mark.parametrize("result", EXAMPLES, ids=lambda r: type(r).__name__)
def test_a_result_is_read_back_as_it_was_written(result: Any) -> None:
    assert codec.result(manifest(result), type(result)) == result


def test_every_kind_has_a_frozen_result_and_an_example() -> None:
    assert {type(example) for example in EXAMPLES} == set(RESULTS.values())
    assert set(RESULTS) == set(STAGE_SETTINGS)
    for cls in RESULTS.values():
        assert cls.__dataclass_params__.frozen and fields(cls), cls


def test_no_value_of_a_manifest_is_json_text() -> None:
    """What is an object stays one: the next reader need not guess what has to be parsed."""

    def texts(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [t for v in value.values() for t in texts(v)]
        if isinstance(value, list):
            return [t for v in value for t in texts(v)]
        return [value] if isinstance(value, str) and value[:1] in ("{", "[") else []

    for example in EXAMPLES:
        assert texts(codec.told(example)) == []


def test_a_manifest_says_what_it_is_of() -> None:
    about = {
        "settings": {"step": 4},
        "inputs": {"data": "b" * 64},
        "label": "train DiT-S/2",
        "provenance": {"harness": "0.2"},
        "measured": {"seconds": 2.0, "resumed": True, "devices": 8},
    }
    found = manifest(EXAMPLES[2], **about)
    assert (found.settings, found.inputs, found.label) == (
        {"step": 4},
        {"data": "b" * 64},
        about["label"],
    )
    assert found.measured == Measured(2.0, resumed=True, devices=8)
    assert found.version == "harness 0.2" and found.format == FORMAT


def old(facts: dict[str, Any], kind: str, **about: Any) -> Manifest:
    """As format 1 wrote it, without a checksum of its own."""
    data = {"format": 1, "kind": kind, "key": KEY, "files": {}, "facts": facts, **about}
    return codec.read(data, kind, KEY, "here")


def test_the_words_of_format_1_are_understood() -> None:
    described = {**COLUMNS, "recipe": '{"ema":0.9}', "objective_settings": '{"a":1}'}
    train = codec.result(
        old({"described": described, "architecture": {}, "diffusion_steps": 1000}, "train"),
        TrainResult,
    )
    assert train.columns == {**COLUMNS, "objective_settings": {"a": 1}} and train.step == 4
    assert train.trained_for == {"objective": None, "diffusion_steps": 1000}
    sampling = {"sampling_steps": 5, "samples": 8, "sampler_settings": '{"churn":1}'}
    facts = {"described": described, "sampling": sampling, "checkpoint_key": KEY, "images": "npz"}
    sample = codec.result(old(facts, "sample"), SampleResult)
    assert sample.samples == 8 and sample.decoder_sha256 is None
    assert sample.columns["recipe"] == {"ema": 0.9}
    assert sample.columns["sampler_settings"] == {"churn": 1}
    shape = {"depth": 2, "width": 8}
    counted = {"model": "x", "name": "x", "gflops": 1.0, "gflops_paper": 1.1, "params": 5, **shape}
    complexity = codec.result(
        old(counted, "complexity", settings={"architecture": shape}), ComplexityResult
    )
    assert complexity.architecture == shape and complexity.tokens is None
    reference = {"extractor": "e", "extractor_sha256": "f", "resize": "none", "accuracy": 0.6}
    reference |= {"reference_sha256": "0", "images": 8, "source": "s", "floor_images": 5}
    found = codec.result(old({**reference, "floor": {"fd": 1.5}}, "reference"), ReferenceResult)
    assert found.training == {"accuracy": 0.6}
    evaluated = codec.result(old({"values": {"fd": 1.0}, "absent": {}}, "evaluate"), EvaluateResult)
    assert evaluated == EvaluateResult({})


def test_settings_that_an_import_wrote_as_text_are_read_as_settings() -> None:
    assert old({}, "train", settings='{"step":4}').settings == {"step": 4}


def test_a_result_that_lacks_something_says_which_version_wrote_it() -> None:
    found = old({"sha256": "b"}, "encode", provenance={"harness": "0.0.9"})
    with pytest.raises(
        UnreadableResult, match=r"written by harness 0\.0\.9, cannot .* data: field"
    ):
        codec.result(found, EncodeResult)


def test_a_manifest_of_a_newer_version_is_refused_by_name_and_left_where_it_is(
    tmp_path: Path,
) -> None:
    store = Store(tmp_path)
    staging = store.staging(KEY)
    store.commit("evaluate", KEY, staging, {}, codec.told(EvaluateResult()), {})
    path = store.folder("evaluate", KEY) / "manifest.json"
    said = json.loads(path.read_text())
    del said["sha256"]
    path.write_text(json.dumps({**said, "format": FORMAT + 1, "provenance": {"harness": "9.1"}}))
    with pytest.raises(UnreadableArtifact, match=r"harness 9\.1 in format 3.*update the harness"):
        store.open("evaluate", KEY)
    again = store.staging(KEY)
    with pytest.raises(UnreadableArtifact):  # a commit beside it does not throw it away
        store.commit("evaluate", KEY, again, {}, {}, {})
    assert path.exists()


def test_the_result_of_another_kind_is_a_mistake_of_ours() -> None:
    with pytest.raises(TypeError, match="result of encode is no TrainResult"):
        codec.result(manifest(EXAMPLES[0]), TrainResult)


@pytest.mark.parametrize("damage", [{"files": []}, {"facts": 1}, {"format": "x"}, {"key": "b"}])
def test_what_is_no_manifest_is_corrupt(damage: dict[str, Any]) -> None:
    data = {"format": 1, "key": KEY, "files": {}, "facts": {}, **damage}
    with pytest.raises(CorruptArtifact) as caught:
        codec.read(data, "train", KEY, "here")
    assert not isinstance(caught.value, UnreadableArtifact)
