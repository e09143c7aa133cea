"""A run: what it is called, and what its network is given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from planned import study_of

from harness.errors import BadInput


def test_its_label_is_the_models_name_and_its_words(tmp_path: Path) -> None:
    run = study_of(tmp_path).runs[0]
    assert run.label == run.model.label and not run.words
    assert replace(run, words=("lr 0.1", "seed 1")).label == f"{run.model.label} lr 0.1, seed 1"


def test_the_network_is_given_latents_and_the_objectives_channels(tmp_path: Path) -> None:
    ddpm = study_of(tmp_path).runs[0].given()
    flow = study_of(tmp_path, "objective=flow").runs[0].given()
    assert (ddpm.side, ddpm.channels, ddpm.out_channels) == (8, 1, 2)  # and the variance
    assert flow.out_channels == 1


def test_images_that_do_not_fit_the_autoencoder_are_refused(tmp_path: Path) -> None:
    run = study_of(tmp_path).runs[0]
    from harness.components import get

    odd = replace(run, codec=get("autoencoder", "sd-vae")(), data=run.data.model_copy(
        update={"image_size": 12, "channels": 3}))  # fmt: skip
    with pytest.raises(BadInput, match="12"):
        odd.given()
