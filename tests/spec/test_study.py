"""Studies: what is accepted, and how everything wrong is told at once with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_study import GOOD, problems, write

from harness.errors import BadInput
from harness.spec import BadStudy, load_study, profiles


def test_a_profile_overlays_and_set_overrides_the_profile(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    assert load_study(path, "long").runs[0].train.steps == 40
    study = load_study(path, "long", ["train.steps=60", "evaluations.final.samples=8"])
    assert study.runs[0].train.steps == 60
    assert study.runs[0].train.batch_size == 8
    assert study.evaluations["final"].samples == 8


def test_null_removes_an_evaluation_of_the_base(tmp_path: Path) -> None:
    text = GOOD.replace("    train: {steps: 40}", "    evaluations: {final: null}")
    assert load_study(write(tmp_path, text), "long").evaluations == {}


def test_numbers_in_exponent_notation_are_numbers(tmp_path: Path) -> None:
    text = GOOD.replace("  steps: 20\n", "  steps: 20\n  learning_rate: 1e-3\n")
    assert load_study(write(tmp_path, text)).runs[0].train.learning_rate == 0.001


def test_an_error_in_a_profile_points_at_the_profiles_line(tmp_path: Path) -> None:
    text = GOOD.replace("train: {steps: 40}", "train: {steps: many}")
    assert problems(tmp_path, text, profile="long") == [
        "study.yaml:19: train.steps is 'many' (text); it should be a whole number [Training steps.]"
    ]


def test_an_error_in_an_override_names_the_override(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD, overrides=["train.steps=-3"])
    assert found == [
        "--set train.steps=-3: train.steps is -3 (a whole number); it should be greater than 0 "
        "[Training steps.]"
    ]
    assert "expected FIELD=VALUE" in problems(tmp_path, GOOD, overrides=["train.steps"])[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("[S, B]", "[]"), "matrix.axes"),
        (("model.size: [S, B]", "model.size: [S, S]"), "is in the matrix twice"),
        (("model.size: [S, B]", "modle.size: [S, B]"), "did you mean 'model'?"),
        (("[8, 4]", "[8, 3]"), "patch size 3 does not divide the model's input of 8"),
        (("milestones: [10, 20]", "milestones: [10, 30]"), "milestone 30 lies beyond"),
        (("at: end", "at: [50]"), "lies beyond train.steps 20"),
        (("sampling_steps: 4", "sampling_steps: []"), "evaluations.final.sampling_steps"),
        (("sampling_steps: 4", "sampling_steps: 2000"), "is more than diffusion.steps 1000"),
        (("reference: {", "referense: {"), "unknown field 'referense'"),
        (("name: glyphs", "name: glyfs"), "the embedded sets are glyphs, digits"),
        (("  laptop: {}", "  laptop: 3"), "a profile is a mapping"),
        (("study: tiny", "study: tiny\nstudy: twice"), "is given twice"),
        (("study: tiny", "study: [tiny"), "not valid YAML"),
        (("sampling_steps: 4", "sampling_steps: 4, eta: 0.5"), "eta is DDIM's, the sampler is anc"),
        (
            ("sampling_steps: 4", "sampling_steps: 4, guidance: {scale: 2.0, interval: [9, 3]}"),
            "the interval [9, 3] is empty",
        ),
        (
            ("sampling_steps: 4", "sampling_steps: 4, guidance: {scale: 2.0, interval: [9, 1000]}"),
            "guidance.interval [9, 1000] lies beyond the last timestep, 999",
        ),
        (("profiles:", "profile: {laptop: 1}\nprofiles:"), "profile must be a name"),
        (("profiles:", "profile: [{laptop: 1}]\nprofiles:"), "profile must be a name"),
        (
            ("model.size: [S, B]", "model.size: [S, B]\n    model: [{size: B}]"),
            "matrix sets model.size twice in one run",
        ),
        (
            (
                "model.size: [S, B]",
                "model.size: [S]\n    data.name: [glyphs]\n    data.name.x: [1]",
            ),
            "matrix sets data.name and data.name.x in one run",
        ),
        (
            ("model.size: [S, B]", f"model.size: [S, B]\n    seed: {list(range(60_000))}"),
            "the matrix has 240,000 points; at most 100,000",
        ),
        (("title: A tiny study", f"title: t\nseed: {2**64}"), "seed is 18446744073709551616"),
        (
            ("steps: 20\n", "steps: 20\n  ema: 1\n"),
            "train.ema is 1 (a whole number); it should be l",
        ),
        (
            ("steps: 20\n", "steps: 20\n  betas: [0.9, 0.9, 0.9]\n"),
            "train.betas is [0.9, 0.9, 0.9] (a list); it should be a list of at most 2, not 3",
        ),
        (("title: A tiny study", "title: t\nbaselines: [ADM-25]"), "did you mean 'ADM-256'?"),
        (("at: end", "at: 3"), "final.at is 3; allowed: 'end' or 'milestones', or a list"),
        (
            ("sampling_steps: 4", "sampling_steps: 4, guidance: {scael: 2.0}"),
            "unknown field 'evaluations.final.guidance.scael' (did you mean 'scale'?)",
        ),
        (
            ("sampling_steps: 4", "sampling_steps: 4, guidance: {scale: 2.0, channels: 5}"),
            "evaluations.final.guidance.channels is 5, the model has 1",
        ),
        (
            ("sampling_steps: 4", "sampling_steps: 4, guidance: {scale: 1.5}"),
            "study.yaml:11: evaluations.final.guidance.channels is 3 where it is not given, the "
            "model has 1: write guidance.channels (null: all of them)",
        ),
        (
            ("title: A tiny study", "title: t\nautoencoder: {name: identity, decoder: ft-mse}"),
            "autoencoder.decoder is 'ft-mse', the identity autoencoder has: original",
        ),
        (
            ("sampling_steps: 4", "sampling_steps: 4, decoder: ft-ema"),
            "evaluations.final.decoder is 'ft-ema', the identity autoencoder has: original",
        ),
        (("sampling_steps: 4", "sampling_steps: 4, sampler: ddim, eta: 2"), "eta is 2 (a whole"),
        (
            ("title: A tiny study", "title: t\nautoencoder: {name: sd-vae}"),
            "data.channels is 1: autoencoder 'sd-vae' takes images of 3 channels",
        ),
        (
            ("reference: {", "reference: {statistics_sha256: ab, "),
            "is the checksum of a file: give",
        ),
        (("train: {steps: 40}", "study: other"), None),
    ],
)
def test_bad_studies_say_what_is_wrong(
    tmp_path: Path, change: tuple[str, str], expected: str | None
) -> None:
    text = GOOD.replace(*change)
    assert text != GOOD
    if expected is None:
        assert "cannot set" in problems(tmp_path, text, profile="long")[0]
        return
    found = problems(tmp_path, text)
    assert any(expected in line for line in found), found
    assert all("study.yaml" in line for line in found), found


def test_an_unknown_profile_lists_those_there_are(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD, profile="lptop")
    assert "unknown profile 'lptop' (did you mean 'laptop'?)" in found[0]
    assert "laptop, long" in found[0]


def test_bad_study_is_bad_input() -> None:
    assert issubclass(BadStudy, BadInput)


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(Path("studies").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_study_in_the_repository_is_valid_under_all_its_profiles(path: Path) -> None:
    assert profiles(path)
    for profile in profiles(path):
        assert load_study(path, profile).runs


def test_an_override_says_so_itself_when_it_is_wrong(tmp_path: Path) -> None:
    for override, expected in (
        ("profile=long", "a profile is chosen with --profile"),
        ("trian.steps=4", "unknown field 'trian' (did you mean 'train'?)"),
        ("train.steps=1e3", "train.steps is 1000.0 (a number); it should be a whole number: wri"),
        ("study=a b", "it should be letters, digits, '.', '_' and '-'"),
    ):
        (found,) = problems(tmp_path, GOOD, overrides=[override])
        assert found.startswith(f"--set {override}: ") and expected in found


@pytest.mark.parametrize("overrides", ["seed=1", {"seed": 1}, None, 5, [5], [("seed", 1)]])
def test_overrides_that_are_no_list_of_texts_are_told(tmp_path: Path, overrides: object) -> None:
    """A single text was read letter by letter."""
    with pytest.raises(BadInput, match=r"give a list of texts, as \["):
        load_study(write(tmp_path, GOOD), overrides=overrides)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", [5, None, ["scaling"], b"scaling"])
def test_a_study_that_is_no_name_and_no_path_is_told(path: object) -> None:
    with pytest.raises(
        BadInput, match=r"the study is .*: give the path of a YAML file, or the name"
    ):
        load_study(path)  # type: ignore[arg-type]
