"""A study that names a diffusers autoencoder's folder: what is read, keyed and refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from small_diffusers import save, write_config

from harness.plan import make_plan
from harness.spec import BadStudy, load_study

STUDY = """\
study: own
data: {name: a, source: image-folder, path: photos, image_size: SIZE, num_classes: 3}
autoencoder: {name: diffusers, MORE}
model: {family: DiT-micro, size: S, patch_size: PATCH}
train: {steps: 10}
"""


def study(tmp_path: Path, more: str, size: int = 64, patch: int = 2) -> Path:
    path = tmp_path / "own.yaml"
    text = STUDY.replace("MORE", more).replace("SIZE", str(size)).replace("PATCH", str(patch))
    path.write_text(text)
    return path


def keys(path: Path) -> dict[str, str]:
    return {stage.kind: stage.key for stage in make_plan(load_study(path)).stages.values()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size", "given"),
    [("sdxl", 64, (4, 8)), ("flux", 64, (16, 8)), ("dc-ae-f32", 128, (8, 4)), ("tiny", 32, (4, 4))],
)
def test_the_models_input_is_the_folders(
    name: str, size: int, given: tuple[int, int], tmp_path: Path
) -> None:
    folder = save(name, tmp_path)
    run = load_study(study(tmp_path, f"weights: {folder}", size)).runs[0]
    assert (run.given().channels, run.given().side) == given


def test_keys_hold_its_numbers_and_its_name_or_checksum(tmp_path: Path) -> None:
    folder = save("flux", tmp_path)
    plain = keys(study(tmp_path, f"weights: {folder}"))
    plan = make_plan(load_study(tmp_path / "own.yaml"))
    encode = next(s for s in plan.stages.values() if s.kind == "encode")
    said: dict[str, Any] = json.loads(encode.settings)["autoencoder"]
    assert (said["folder"], said["channels"], said["shift"]) == ("flux", 16, 0.1159)
    (tmp_path / "else").mkdir()
    moved = folder.rename(tmp_path / "else" / "flux")
    assert keys(study(tmp_path, f"weights: {moved}")) == plain  # wherever it lies
    renamed = moved.rename(tmp_path / "else" / "other")
    assert keys(study(tmp_path, f"weights: {renamed}"))["encode"] != plain["encode"]
    checked = [keys(study(tmp_path, f"weights: {renamed}, sha256: {'ab' * 32}"))]
    third = renamed.rename(tmp_path / "third")
    checked.append(keys(study(tmp_path, f"weights: {third}, sha256: {'ab' * 32}")))
    assert checked[0] == checked[1]


def test_a_machine_without_the_folder_plans_with_what_the_study_says(tmp_path: Path) -> None:
    folder = save("sdxl", tmp_path)
    numbers = "architecture: AutoencoderKL, channels: 4, factor: 8, scale: 0.13025"
    here = keys(study(tmp_path, f"weights: {folder}"))
    away = tmp_path / "away"
    folder.rename(away)
    assert keys(study(tmp_path, f"weights: {folder}, {numbers}")) == here
    with pytest.raises(BadStudy, match=r"own\.yaml:3: .*holds no config\.json.*channels, factor"):
        load_study(study(tmp_path, f"weights: {folder}"))
    with pytest.raises(BadStudy, match=r"weights is not set; or write autoencoder\.architecture"):
        load_study(study(tmp_path, "decoder: original"))


def test_what_does_not_fit_is_refused_naming_what_does(tmp_path: Path) -> None:
    unknown = write_config(tmp_path / "wan", _class_name="AutoencoderKLWan")
    with pytest.raises(BadStudy, match=r"own\.yaml:3: .*'AutoencoderKLWan'; the autoencoders that"):
        load_study(study(tmp_path, f"weights: {unknown}"))
    folder = save("dc-ae-f32", tmp_path)
    with pytest.raises(BadStudy, match=r"80 is not divisible by .*factor 32: (64|96) is"):
        load_study(study(tmp_path, f"weights: {folder}", 80))
    # A latent of 2 x 2 has no patch of 8 x 8.
    with pytest.raises(BadStudy, match=r"patch size 8 does not divide(.|\n)*diffusers autoencoder"):
        load_study(study(tmp_path, f"weights: {folder}", 64, patch=8))
    with pytest.raises(BadStudy, match=r"decoder is 'ft-mse', the diffusers autoencoder has: orig"):
        load_study(study(tmp_path, f"weights: {folder}, decoder: ft-mse"))
    with pytest.raises(BadStudy, match=r"channels.*16"):
        load_study(study(tmp_path, f"weights: {folder}, channels: 16"))
