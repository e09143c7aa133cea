"""What no section of a study can know alone: whether its sections go together."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_study import GOOD, problems, write

from harness.spec import checks, load_study


def test_evaluations_need_a_reference_and_training(tmp_path: Path) -> None:
    text = GOOD.replace("reference: {extractor: glyphs-cnn, images: 50}\n", "")
    assert any("need a reference section" in line for line in problems(tmp_path, text))


def test_guidance_needs_a_null_label_that_was_trained(tmp_path: Path) -> None:
    text = GOOD.replace("steps: 20\n", "steps: 20\n  label_dropout: 0\n")
    load_study(write(tmp_path, text))
    found = problems(tmp_path, text.replace("sampling_steps: 4", "guidance: {scale: 1.5}"))
    assert any("the null label that guidance needs would never" in line for line in found)


def test_guidance_that_no_model_can_have_is_told_once_for_all_scales(tmp_path: Path) -> None:
    scales = "[{scale: 1}, {scale: 1.5, channels: 1}, {scale: 2, channels: 1}]"
    other = f"  other: {{samples: 10, split_size: 2, guidance: {scales}}}\nmatrix:"
    text = GOOD.replace("sampling_steps: 4", f"guidance: {scales}").replace("matrix:", other)
    (found,) = problems(tmp_path, text.replace("steps: 20\n", "steps: 20\n  label_dropout: 0\n"))
    assert "evaluations.final at 1.5, 2; evaluations.other at 1.5, 2" in found
    _, found = problems(tmp_path, text.replace("channels: 1,", "channels: 1, num_classes: 0,", 1))
    assert "evaluations.final at 1.5, 2; evaluations.other at 1.5, 2" in found
    assert "nothing to guide towards" in found


def test_labels_as_in_the_data_need_data_with_labels(tmp_path: Path) -> None:
    text = GOOD.replace("at: end", "at: end, labels: data")
    load_study(write(tmp_path, text))
    bare = "source: unlabelled-folder, path: x, num_classes: 0, name: x"
    text = text.replace("name: glyphs", bare).replace("glyphs-cnn", "random-conv")
    found = problems(tmp_path, text)
    assert any(
        "evaluations.final.labels is data, but the images have no labels" in f for f in found
    )


@pytest.mark.parametrize(
    "guidance", ["{scale: 1}", "{scale: 2, channels: null}", "{scale: 2, channels: 1}"]
)
def test_guidance_that_samples_of_one_channel_can_have(tmp_path: Path, guidance: str) -> None:
    load_study(write(tmp_path, GOOD.replace("at: end", f"at: end, guidance: {guidance}")))


def test_sampling_steps_are_checked_against_every_run(tmp_path: Path) -> None:
    text = GOOD.replace("model.size: [S, B]", "model.size: [S]\n    diffusion.steps: [1000, 100]")
    load_study(write(tmp_path, text))
    found = problems(tmp_path, text.replace("sampling_steps: 4", "sampling_steps: 250"))
    assert any("250 is more than diffusion.steps 100" in line for line in found)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("model: {family: DiT-micro}", "model: {family: DiT-micro, heads: 3}"), "heads"),
        (("batch_size: 8", "batch_size: 8\n  batch_per_device: 3"),
         "does not divide train.batch_size 8; these do: 1, 2, 4, 8"),
        (("images: 50", "images: 1"), "reference.images is 1: a covariance needs at least 2"),
        (("images: 50", "images: 50, recall_images: 1"), "neighbours need at least 2 images"),
        (("images: 50", "images: 50, floor_images: 1"), "0 for no floor"),
        (("images: 50", "images: 50, held_out: true"), "nothing is held out: give data.held_out"),
        (("train_images: 100", "train_images: 100, held_out: 0.1"), "makes others for floors"),
        (("train_images: 100", "train_images: 100, num_classes: 0"), "reads labels"),
        (("at: end", "at: milestones"), None),
        (("  milestones: [10, 20]\n", ""), None),
        (("at: end", "at: end, ema: 0.5"), "and train.ema keeps 0.9999"),
        (("at: end", "at: end, ema_length: 0.1"), "train.ema_snapshots keeps none"),
        (("at: end", "at: end, sampler: flow-euler"), "sampler"),
        (("profiles:", "claims: {sampling_pairs: [[DiT-micro-S/8, DiT-micro-Q/8]]}\nprofiles:"),
         "claims.sampling_pairs: no model 'DiT-micro-Q/8' here (did you mean 'DiT-micro-"),
        (("profiles:", "report: {grids: [{label: 10}]}\nprofiles:"),
         "report.grids: no class 10 here: they are 0 to 9"),
        (("profiles:", "report: {grids: [{label: 9, model: DiT-micro-Q/8}]}\nprofiles:"),
         "report.grids: no model 'DiT-micro-Q/8' here (did you mean 'DiT-micro-"),
        (("profiles:", "report: {grids: [{label: 9, evaluation: finel}]}\nprofiles:"),
         "report.grids: no evaluation 'finel' here (did you mean 'final'"),
        (("profiles:", "report: {grids: [{label: 9, evaluation: final}]}\nprofiles:"), None),
        (("profiles:", "claims: {paper: [no-such-claim]}\nprofiles:"), "no-such-claim"),
        (("  batch_size: 8", "  batch_size: 8\n  schedule: {name: cosine, warmup: 50}"),
         "train.schedule: "),
    ],
)  # fmt: skip
def test_sections_that_do_not_go_together_are_told_with_their_line(
    tmp_path: Path, change: tuple[str, str], expected: str | None
) -> None:
    text = GOOD.replace(*change)
    assert text != GOOD
    if expected is None:
        load_study(write(tmp_path, text))
        return
    found = problems(tmp_path, text)
    assert any(expected in line for line in found), found
    assert all(line.startswith("study.yaml:") for line in found), found


def test_milestones_are_needed_where_evaluations_are_at_them(tmp_path: Path) -> None:
    text = GOOD.replace("  milestones: [10, 20]\n", "").replace("at: end", "at: milestones")
    (found,) = problems(tmp_path, text)
    assert "evaluations.final.at is milestones, but train.milestones is empty" in found


def test_an_evaluation_that_names_no_sampler_has_its_objectives(tmp_path: Path) -> None:
    study = load_study(write(tmp_path, GOOD.replace("at: end", "at: end, sampler: ddim")))
    run, evaluation = study.runs[0], study.evaluations["final"]
    assert checks.sampler_of(evaluation, run.objective).name == "ddim"
    unnamed = evaluation.model_copy(update={"sampler": None})
    assert checks.sampler_of(unnamed, run.objective).name == run.objective.default_sampler
