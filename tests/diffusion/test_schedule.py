from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.diffusion.schedule import LEAST_STEPS, kept_timesteps, linear_betas, schedule
from harness.errors import BadInput

FULL = {
    "betas": "betas",
    "alphas_cumprod": "alphas_cumprod",
    "alphas_cumprod_prev": "alphas_cumprod_prev",
    "posterior_variance": "posterior_variance",
    "posterior_log_variance": "posterior_log_variance_clipped",
    "posterior_mean_x0": "posterior_mean_coef1",
    "posterior_mean_xt": "posterior_mean_coef2",
}
RESPACED = ["250", "16", "32", "64", "128", "256", "ddim50", "10,20,30"]


@pytest.mark.parametrize("ours, theirs", FULL.items())
@pytest.mark.parametrize("sampling", [None, "", "1000", 1000])
def test_full_tables_are_the_references(golden_schedules, ours, theirs, sampling) -> None:
    table = getattr(schedule(1000, sampling), ours)
    assert table.dtype == np.float64
    np.testing.assert_allclose(table, golden_schedules[f"full_{theirs}"], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("sampling", RESPACED)
def test_respaced_tables_are_the_references(golden_schedules, sampling) -> None:
    ours = schedule(1000, sampling)
    name = sampling.replace(",", "_")
    np.testing.assert_array_equal(ours.timesteps, golden_schedules[f"map_{name}"])
    for table, golden in (
        (ours.betas, "betas"),
        (ours.alphas_cumprod, "alphas_cumprod"),
        (ours.posterior_variance, "postvar"),
        (ours.posterior_log_variance, "postlogvar"),
    ):
        np.testing.assert_allclose(table, golden_schedules[f"{golden}_{name}"], rtol=1e-12)


@given(steps=st.integers(1, 1200), share=st.floats(0, 1))
@settings(max_examples=50, deadline=None)
def test_any_count_keeps_that_many_steps_with_both_ends(steps: int, share: float) -> None:
    count = max(1, round(share * steps))
    kept = kept_timesteps(steps, count)
    assert len(kept) == count
    assert kept[0] == 0 and kept[-1] == (steps - 1 if count > 1 else 0)
    assert (np.diff(kept) > 0).all()


@given(count=st.integers(1, 1000))
@settings(max_examples=30, deadline=None)
def test_kept_steps_reach_the_noise_levels_of_the_full_chain(count: int) -> None:
    full = np.cumprod(1 - linear_betas(1000))
    respaced = schedule(1000, count)
    np.testing.assert_allclose(respaced.alphas_cumprod, full[respaced.timesteps], rtol=1e-11)
    assert np.isfinite(respaced.posterior_log_variance).all()
    assert respaced.posterior_mean_x0[0] == pytest.approx(1) and respaced.posterior_mean_xt[0] == 0


@pytest.mark.parametrize(
    "sampling", ["1001", 0, "-5", "abc", "ddim", "ddim300", "10,,20", "400,400,400", "2.5"]
)
def test_impossible_sampling_is_refused_with_what_is_possible(sampling) -> None:
    with pytest.raises(BadInput, match="give"):
        schedule(1000, sampling)


@pytest.mark.parametrize("steps", [-1, 0, 1, 20])
def test_steps_whose_betas_reach_one_are_refused(steps: int) -> None:
    with pytest.raises(BadInput, match=f"at least 21, not {steps}"):
        schedule(steps)


def test_the_least_steps_have_betas_below_one() -> None:
    assert linear_betas(LEAST_STEPS).max() < 1 <= linear_betas(LEAST_STEPS - 1).max()
    assert np.isfinite(schedule(LEAST_STEPS).posterior_log_variance).all()
