"""Where the weights of a decoder lie: in a folder of its name; the original's also beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.autoencoders.places import OLD_WEIGHTS, WEIGHTS, folder_of
from harness.errors import BadInput, Missing


def model(folder: Path, weights: str = WEIGHTS) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", weights):
        (folder / name).write_bytes(b"{}")
    return folder


@pytest.mark.parametrize("name", ["ft-ema", "sd-vae-ft-ema"])
def test_each_decoder_has_a_folder(tmp_path: Path, name: str) -> None:
    model(tmp_path / "original")
    assert folder_of("sd-vae", "ft-ema", model(tmp_path / name).parent) == tmp_path / name
    assert folder_of("sd-vae", "original", tmp_path) == tmp_path / "original"
    with pytest.raises(Missing, match=r"no weights of sd-vae \(ft-mse\).*subfolder ft-mse"):
        folder_of("sd-vae", "ft-mse", tmp_path)


def test_one_model_is_the_original_and_no_other(tmp_path: Path) -> None:
    assert folder_of("sd-vae", "original", model(tmp_path)) == tmp_path
    with pytest.raises(
        BadInput, match="holds one model, which is taken for the decoder 'original'"
    ):
        folder_of("sd-vae", "ft-ema", tmp_path)


def test_a_pickle_is_named_and_not_taken(tmp_path: Path) -> None:
    model(tmp_path / "original", OLD_WEIGHTS)
    with pytest.raises(Missing, match="is a pickle and is not loaded"):
        folder_of("sd-vae", "original", tmp_path)
