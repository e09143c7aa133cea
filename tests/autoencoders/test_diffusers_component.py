"""What a study may say of a diffusers autoencoder, beside and instead of its config.json."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError
from small_diffusers import write_config

from harness.autoencoders.diffusers_component import Diffusers
from harness.errors import BadInput

NUMBERS = {"architecture": "AutoencoderKL", "channels": 4, "factor": 8, "scale": 0.5}


def section(weights: Path | None, sha256: str | None = None) -> Any:
    return SimpleNamespace(weights=None if weights is None else str(weights), sha256=sha256)


def kl(folder: Path, **more: Any) -> Path:
    return write_config(folder, _class_name="AutoencoderKL", block_out_channels=[8] * 4, **more)


def test_the_config_completes_what_the_study_leaves_out_and_the_study_has_the_last_word(
    tmp_path: Path,
) -> None:
    folder = kl(tmp_path / "mine", scaling_factor=0.25, shift_factor=0.1)
    found = Diffusers.complete({"scale": 2.0}, section(folder))
    assert found == {
        "folder": "mine",
        "architecture": "AutoencoderKL",
        "channels": 4,
        "factor": 8,
        "scale": 2.0,
        "shift": 0.1,
    }


def test_the_name_in_keys_is_the_pipelines_and_gone_where_a_checksum_is_given(
    tmp_path: Path,
) -> None:
    pipeline = tmp_path / "sdxl"
    kl(pipeline / "vae")
    for weights in (pipeline, pipeline / "vae"):
        assert Diffusers.complete({}, section(weights))["folder"] == "sdxl"
    assert "folder" not in Diffusers.complete({}, section(pipeline, "ab" * 32))


@pytest.mark.parametrize(
    ("field", "value"), [("architecture", "AutoencoderDC"), ("channels", 16), ("factor", 16)]
)
def test_what_the_weights_decide_is_not_the_studys_to_say(
    tmp_path: Path, field: str, value: Any
) -> None:
    with pytest.raises(BadInput, match=rf"autoencoder\.{field} is .*: leave it out"):
        Diffusers.complete({field: value}, section(kl(tmp_path)))


def test_without_the_folder_all_that_is_absent_is_asked_for(tmp_path: Path) -> None:
    away = section(tmp_path / "away")
    assert Diffusers.complete(dict(NUMBERS), away) == {"folder": "away", **NUMBERS}
    with pytest.raises(BadInput, match=r"or write autoencoder\.factor, scale in the study"):
        Diffusers.complete({k: NUMBERS[k] for k in ("architecture", "channels")}, away)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"factor": 0}, "factor"),  # would divide by zero when the study is planned
        ({"factor": -8}, "factor"),
        ({"channels": 0}, "channels"),
        ({"scale": 0.0}, "scale"),
        ({"mean": (0.0,) * 4}, "both given"),
        ({"mean": (0.0,) * 4, "std": (1.0,)}, "std has 1 values for 4 channels"),
        ({"mean": (0.0,) * 3, "std": (1.0,) * 4}, "mean has 3 values for 4 channels"),
        ({"mean": (0.0,) * 4, "std": (1.0, 1.0, 0.0, 1.0)}, "divided by it"),
    ],
)
def test_numbers_that_no_latent_can_have_are_refused(change: dict[str, Any], said: str) -> None:
    Diffusers.model_validate(NUMBERS)
    with pytest.raises(ValidationError, match=said):
        Diffusers.model_validate({**NUMBERS, **change})


def test_latent_shapes_and_images_that_have_none() -> None:
    about = Diffusers.model_validate({**NUMBERS, "channels": 16})
    assert about.latent_shape(256, 3) == (16, 32, 32)
    with pytest.raises(BadInput, match=r"factor 8: 40 is$"):
        about.latent_shape(42, 3)
    with pytest.raises(BadInput, match=r"factor 8: 8 is$"):
        about.latent_shape(3, 3)  # the nearest is never 0
    with pytest.raises(BadInput, match="3 channels, not 1"):
        about.latent_shape(256, 1)


@pytest.mark.slow
def test_gflops_are_unknown_without_the_folder_and_grow_with_the_image(tmp_path: Path) -> None:
    folder = str(kl(tmp_path / "mine", norm_num_groups=4, layers_per_block=1,
                    down_block_types=["DownEncoderBlock2D"] * 4,
                    up_block_types=["UpDecoderBlock2D"] * 4))  # fmt: skip
    about = Diffusers.model_validate(Diffusers.complete({}, section(Path(folder))))
    assert about.decoder_gflops(32) is None
    assert about.decoder_gflops(32, str(tmp_path / "away")) is None
    small, large = (about.decoder_gflops(side, folder) for side in (32, 64))
    assert small is not None and large is not None
    assert 4 * small <= large  # convolutions grow with pixels, attention faster
