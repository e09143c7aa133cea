"""Settings become columns of the records by their names."""

from __future__ import annotations

from harness.metrics import Metric
from harness.plan.stages import Recipe, SampleStage
from harness.stages.columns import OF_METRIC, SAMPLING, measured_row, recorded
from harness.store.tables import METRICS, MODEL

RECIPE = Recipe(
    batch_size=8,
    learning_rate=1e-3,
    ema=0.9,
    label_dropout=0.1,
    grad_clip=None,
    precision="bf16",
    tf32=False,
)


def test_a_recipe_fills_the_columns_that_are_named_as_its_settings() -> None:
    assert recorded(RECIPE, MODEL) == {"batch_size": 8, "learning_rate": 1e-3}


def test_how_samples_were_drawn_fills_no_column_of_the_checkpoint() -> None:
    """`seed` is the training's in the records; the drawing's is `sampling_seed`."""
    settings = SampleStage(
        sampler="ddim",
        sampling_steps=5,
        guidance_scale=1.5,
        guidance_channels=None,
        samples=8,
        seed=3,
        autoencoder="identity",
        autoencoder_sha256=None,
        decoder="original",
        eta=0.0,
    )
    found = recorded(settings, SAMPLING)
    assert (
        found["sampling_steps"] == 5 and found["clip"] is False and found["decoder"] == "original"
    )
    assert not {"seed", "autoencoder", "precision"} & found.keys()


def test_what_has_no_column_is_in_measured_with() -> None:
    metric = Metric("fd_x", 1.5, None, {"extractor": "x", "subsets": 3}, 2.0)
    row = measured_row(metric, "none", decoder_sha256="d")
    assert row["std"] is None and row["std_df"] is None  # no spread has no degrees of freedom
    assert row["extractor"] == "x" and row["resize"] == "none"
    assert row["measured_with"]["subsets"] == 3
    assert row["measured_with"]["decoder_sha256"] == "d"
    assert {*OF_METRIC, "resize", "measured_with"} <= {c.name for c in METRICS}
