"""Studies: what is accepted, and how everything wrong is told at once with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.diffusion.schedule import LEAST_STEPS
from harness.errors import BadInput
from harness.spec import BadStudy, load_study, profiles

GOOD = """\
study: tiny
title: A tiny study
data: {name: glyphs, image_size: 8, channels: 1, train_images: 100}
model: {family: DiT-micro}
train:
  steps: 20
  milestones: [10, 20]
  batch_size: 8
reference: {extractor: glyphs-cnn, images: 50}
evaluations:
  final: {at: end, sampling_steps: 4, samples: 10, split_size: 1}
matrix:
  axes:
    model.size: [S, B]
    model.patch_size: [8, 4]
profiles:
  laptop: {}
  long:
    train: {steps: 40}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "study.yaml"
    path.write_text(text)
    return path


def problems(folder: Path, text: str, **given: object) -> list[str]:
    path = write(folder, text)
    with pytest.raises(BadInput) as caught:
        load_study(path, **given)  # type: ignore[arg-type]
    return str(caught.value).replace(f"{folder}/", "").splitlines()


def test_a_study_expands_to_the_product_of_its_axes(tmp_path: Path) -> None:
    study = load_study(write(tmp_path, GOOD))
    labels = [run.label for run in study.runs]
    assert labels == [
        "DiT-micro-S/8",
        "DiT-micro-S/4",
        "DiT-micro-B/8",
        "DiT-micro-B/4",
    ]
    assert study.profile == "laptop"
    assert profiles(study.path) == ["laptop", "long"]


def test_a_profile_overlays_and_set_overrides_the_profile(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    assert load_study(path, "long").runs[0].train.steps == 40
    study = load_study(path, "long", ["train.steps=60", "evaluations.final.samples=7"])
    assert study.runs[0].train.steps == 60
    assert study.runs[0].train.batch_size == 8
    assert study.evaluations["final"].samples == 7


def test_include_adds_points_and_exclude_removes_them(tmp_path: Path) -> None:
    text = GOOD.replace(
        "profiles:",
        """\
  include:
    - {model.size: L, model.patch_size: 2, seed: 3}
  exclude:
    - {model.size: B, model.patch_size: 8}
profiles:""",
    )
    study = load_study(write(tmp_path, text))
    assert [(r.model.component.size, r.model.component.patch_size, r.seed) for r in study.runs] == [
        ("S", 8, 0),
        ("S", 4, 0),
        ("B", 4, 0),
        ("L", 2, 3),
    ]


def test_null_removes_an_evaluation_of_the_base(tmp_path: Path) -> None:
    text = GOOD.replace("    train: {steps: 40}", "    evaluations: {final: null}")
    assert load_study(write(tmp_path, text), "long").evaluations == {}


def test_numbers_in_exponent_notation_are_numbers(tmp_path: Path) -> None:
    text = GOOD.replace("  steps: 20\n", "  steps: 20\n  learning_rate: 1e-3\n")
    assert load_study(write(tmp_path, text)).runs[0].train.learning_rate == 0.001


def test_every_error_is_told_at_once_with_file_line_field_and_allowed_values(
    tmp_path: Path,
) -> None:
    text = (
        GOOD.replace("batch_size: 8", "batch_sise: 8")
        .replace("title: A tiny study", "title: 7")
        .replace("sampling_steps: 4", "sampler: anzestral")
        .replace("channels: 1", "channels: 2")
    )
    found = problems(tmp_path, text)
    assert len(found) == 4
    assert (
        found[0] == "study.yaml:2: title is 7 (a whole number); it should be text: put it in quotes"
    )
    assert "study.yaml:3: data.channels is 2; allowed: 1 or 3" in found
    assert any(
        line.startswith(
            "study.yaml:8: unknown field 'train.batch_sise' (did you mean 'batch_size'?); allowed: "
        )
        and "milestones" in line
        for line in found
    )
    assert any(
        line.startswith("study.yaml:11: evaluations.final.sampler is 'anzestral'")
        and "did you mean 'ancestral'?" in line
        for line in found
    )


def test_an_error_in_a_profile_points_at_the_profiles_line(tmp_path: Path) -> None:
    text = GOOD.replace("train: {steps: 40}", "train: {steps: many}")
    assert problems(tmp_path, text, profile="long") == [
        "study.yaml:19: train.steps is 'many' (text); it should be a whole number"
    ]


def test_an_error_in_an_override_names_the_override(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD, overrides=["train.steps=-3"])
    assert found == [
        "--set train.steps=-3: train.steps is -3 (a whole number); it should be greater than 0"
    ]
    assert "expected FIELD=VALUE" in problems(tmp_path, GOOD, overrides=["train.steps"])[0]


def test_an_error_in_the_matrix_names_the_run(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD.replace("[S, B]", "[S, Q]"))
    assert len(found) == 2  # once for each patch size
    assert found[0] == (
        "study.yaml:14: unknown model.size 'Q' of DiT-micro; sizes: S, B, L, XL "
        "(in the run model.size=Q, model.patch_size=8)"
    )


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


def test_exclude_that_matches_nothing_is_an_error(tmp_path: Path) -> None:
    text = GOOD.replace("profiles:", "  exclude: [{model.size: XL}]\nprofiles:")
    assert any("matches no point" in line for line in problems(tmp_path, text))


def test_excluding_every_run_is_an_error(tmp_path: Path) -> None:
    text = GOOD.replace("profiles:", "  exclude: [{model.size: S}, {model.size: B}]\nprofiles:")
    assert any("no runs are left" in line for line in problems(tmp_path, text))


def test_an_unknown_profile_lists_those_there_are(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD, profile="lptop")
    assert "unknown profile 'lptop' (did you mean 'laptop'?)" in found[0]
    assert "laptop, long" in found[0]


def test_unreadable_files_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        load_study(tmp_path / "nowhere.yaml")
    with pytest.raises(BadInput, match="Is a directory"):
        load_study(tmp_path)
    (tmp_path / "bytes.yaml").write_bytes(b"study: \xff\xfe")
    with pytest.raises(BadInput, match="not UTF-8"):
        load_study(tmp_path / "bytes.yaml")
    (tmp_path / "empty.yaml").write_text("")
    with pytest.raises(BadInput, match="empty"):
        load_study(tmp_path / "empty.yaml")
    (tmp_path / "list.yaml").write_text("- 1\n- 2\n")
    with pytest.raises(BadInput, match="a study is a mapping"):
        load_study(tmp_path / "list.yaml")


def test_a_yaml_bomb_is_refused_quickly(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    (tmp_path / "bomb.yaml").write_text("\n".join(lines))
    with pytest.raises(BadInput, match="aliases are expanded; refused"):
        load_study(tmp_path / "bomb.yaml")


def test_a_recursive_alias_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loop.yaml").write_text("a: &a [*a]\n")
    with pytest.raises(BadInput, match=r"refused|not valid YAML"):
        load_study(tmp_path / "loop.yaml")


def test_python_objects_in_yaml_are_not_made(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    text = GOOD + f"about: !!python/object/apply:os.system ['touch {marker}']\n"
    assert "not valid YAML" in problems(tmp_path, text)[0]
    assert not marker.exists()


def test_evaluations_need_a_reference_and_training(tmp_path: Path) -> None:
    text = GOOD.replace("reference: {extractor: glyphs-cnn, images: 50}\n", "")
    assert any("need a reference section" in line for line in problems(tmp_path, text))


def test_bad_study_is_bad_input() -> None:
    assert issubclass(BadStudy, BadInput)


@pytest.mark.parametrize("path", sorted(Path("studies").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_study_in_the_repository_is_valid_under_all_its_profiles(path: Path) -> None:
    assert profiles(path)
    for profile in profiles(path):
        assert load_study(path, profile).runs


def test_guidance_needs_a_null_label_that_was_trained(tmp_path: Path) -> None:
    text = GOOD.replace("steps: 20\n", "steps: 20\n  label_dropout: 0\n")
    load_study(write(tmp_path, text))
    found = problems(tmp_path, text.replace("sampling_steps: 4", "guidance: {scale: 1.5}"))
    assert any("the null label that guidance needs would never" in line for line in found)


@pytest.mark.parametrize(
    "guidance", ["{scale: 1}", "{scale: 2, channels: null}", "{scale: 2, channels: 1}"]
)
def test_guidance_that_samples_of_one_channel_can_have(tmp_path: Path, guidance: str) -> None:
    load_study(write(tmp_path, GOOD.replace("at: end", f"at: end, guidance: {guidance}")))


def test_a_schedule_whose_betas_reach_one_is_refused(tmp_path: Path) -> None:
    few, fewest = (f"title: t\ndiffusion: {{steps: {n}}}" for n in (LEAST_STEPS, LEAST_STEPS - 1))
    load_study(write(tmp_path, GOOD.replace("title: A tiny study", few)))
    found = problems(tmp_path, GOOD.replace("title: A tiny study", fewest))
    assert found[0].startswith("study.yaml:3: diffusion.steps 20: give at least 21")
    varied = GOOD.replace("model.size: [S, B]", "model.size: [S]\n    diffusion.steps: [1000, 7]")
    assert "diffusion.steps 7: give at least 21" in problems(tmp_path, varied)[0]


def test_sampling_steps_are_checked_against_every_run(tmp_path: Path) -> None:
    text = GOOD.replace("model.size: [S, B]", "model.size: [S]\n    diffusion.steps: [1000, 100]")
    load_study(write(tmp_path, text))
    found = problems(tmp_path, text.replace("sampling_steps: 4", "sampling_steps: 250"))
    assert any("250 is more than diffusion.steps 100" in line for line in found)


def test_an_axis_may_set_several_fields_and_the_label_is_the_models(tmp_path: Path) -> None:
    axis = "model: [{size: S, patch_size: 4}, {size: B, patch_size: 8, block: adaln}]"
    text = GOOD.replace("model.size: [S, B]", axis).replace("    model.patch_size: [8, 4]\n", "")
    runs = load_study(write(tmp_path, text)).runs
    assert [r.label for r in runs] == ["DiT-micro-S/4", "DiT-micro-B/8 model.block=adaln"]


def test_long_values_are_cut_and_lists_are_shown_as_written(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD.replace("steps: 20", f"steps: [[null, true], {'x' * 200}]"))
    assert '[[null, true], "xxx' in found[0] and "..." in found[0] and len(found[0]) < 200


def test_an_override_says_so_itself_when_it_is_wrong(tmp_path: Path) -> None:
    for override, expected in (
        ("profile=long", "a profile is chosen with --profile"),
        ("trian.steps=4", "unknown field 'trian' (did you mean 'train'?)"),
        ("train.steps=1e3", "train.steps is 1000.0 (a number); it should be a whole number: wri"),
        ("study=a b", "it should be letters, digits, '.', '_' and '-'"),
    ):
        (found,) = problems(tmp_path, GOOD, overrides=[override])
        assert found.startswith(f"--set {override}: ") and expected in found


def test_an_axis_of_the_width_scaled_rate_is_no_repetition(tmp_path: Path) -> None:
    """Two runs of one network, trained at other rates."""
    text = GOOD.replace("    model.patch_size: [8, 4]\n", "    model.base_width: [null, 64]\n")
    text = text.replace("family: DiT-micro", "family: DiT-micro, patch_size: 8")
    study = load_study(write(tmp_path, text))
    assert len(study.runs) == 4 and len({run.label for run in study.runs}) == 4
