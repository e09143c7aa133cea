"""Averages of the weights, made during training and after it, against their definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.errors import BadInput
from harness.models.ema import (
    Snapshot,
    check_post_hoc,
    combine,
    gamma,
    misfit,
    post_hoc_weights,
    power_decay,
    snapshot_steps,
    update,
)

STEPS = 2000


@pytest.fixture(scope="module")
def path() -> np.ndarray:
    """The weights of a training: a random walk that settles, (STEPS, 5) float64."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(STEPS, 5)) * np.linspace(1, 0.1, STEPS)[:, None]
    return np.cumsum(noise, axis=0) / 10 + rng.normal(size=(STEPS, 5))


def averaged(path: np.ndarray, std: float) -> np.ndarray:
    """The power-function average after every step, by the recurrence: (STEPS, 5)."""
    out = np.empty_like(path)
    value = np.zeros(path.shape[1])
    for step, weights in enumerate(path, start=1):
        value = value + (1 - power_decay(step, std)) * (weights - value)
        out[step - 1] = value
    return out


@pytest.mark.parametrize("std", [0.05, 0.10, 0.2])
def test_gamma_gives_the_profile_of_this_relative_standard_deviation(std) -> None:
    t = (np.arange(200_000) + 0.5) / 200_000
    weights = t ** gamma(std)
    weights /= weights.sum()
    mean = (weights * t).sum()
    assert np.sqrt((weights * (t - mean) ** 2).sum()) == pytest.approx(std, rel=1e-4)


def test_published_gammas() -> None:
    assert gamma(0.05) == pytest.approx(16.97, abs=0.01)
    assert gamma(0.10) == pytest.approx(6.94, abs=0.01)


def test_the_recurrence_weighs_step_t_by_t_to_the_gamma(path) -> None:
    found = averaged(path, 0.1)[-1]
    steps = np.arange(1, STEPS + 1, dtype=np.float64)
    # what the recurrence gives to each step: (1 - beta_t) times all later betas
    betas = np.array([power_decay(int(t), 0.1) for t in steps])
    given = (1 - betas) * np.append(np.cumprod(betas[::-1])[::-1][1:], 1.0)
    ideal = steps ** gamma(0.1)
    assert given.sum() == pytest.approx(1)
    np.testing.assert_allclose(given, ideal / ideal.sum(), atol=2e-5)
    np.testing.assert_allclose(found, given @ path)


def test_the_first_update_takes_the_weights() -> None:
    assert power_decay(1, 0.1) == 0.0


@pytest.mark.parametrize("std", [0.05, 0.07, 0.10, 0.13])
@pytest.mark.parametrize("until", [STEPS, 1500])
def test_an_average_made_after_training_is_the_one_made_during_it(path, std, until) -> None:
    kept = snapshot_steps(100, STEPS)
    during = {each: averaged(path, each) for each in (0.05, 0.10)}
    snapshots = [Snapshot(step, each) for each in during for step in kept]
    weights = post_hoc_weights(snapshots, until, std)
    made = sum(
        w * during[each.std][each.step - 1] for w, each in zip(weights, snapshots, strict=True)
    )
    wanted = averaged(path, std)[until - 1]
    spread = np.abs(averaged(path, 0.05)[until - 1] - averaged(path, 0.10)[until - 1]).max()
    assert np.abs(made - wanted).max() < 0.05 * spread
    assert weights.sum() == pytest.approx(1, abs=0.01)
    assert not any(w for w, each in zip(weights, snapshots, strict=True) if each.step > until)


@pytest.mark.parametrize(
    ("until", "every", "lengths", "std"),
    [
        (1000, 50, (0.05, 0.1), 0.07),
        (777, 64, (0.03, 0.2), 0.1),
        (500, 250, (0.05, 0.1, 0.2), 0.15),
    ],
)
def test_the_weights_are_those_of_least_squares_over_the_profiles_themselves(
    until: int, every: int, lengths: tuple[float, ...], std: float
) -> None:
    """Solved by numpy on a fine grid of times, where ours solves with products in closed form."""
    t = (np.arange(20_000) + 0.5) / 20_000 * until

    def profile(end: int, exponent: float) -> np.ndarray:
        return np.where(t <= end, (exponent + 1) / end * (np.minimum(t, end) / end) ** exponent, 0)

    kept = [Snapshot(s, each) for each in lengths for s in snapshot_steps(every, until)]
    profiles = np.stack([profile(s.step, gamma(s.std)) for s in kept], axis=1)
    wanted = profile(until, gamma(std))
    theirs = np.linalg.lstsq(profiles, wanted, rcond=None)[0]
    ours = post_hoc_weights(kept, until, std)
    norm = np.linalg.norm(wanted)
    assert np.linalg.norm(profiles @ (ours - theirs)) < 1e-4 * norm
    assert np.linalg.norm(profiles @ ours - wanted) / norm == pytest.approx(
        misfit(kept, until, std), rel=1e-3
    )


def test_a_kept_average_is_itself() -> None:
    snapshots = [Snapshot(100, 0.05), Snapshot(100, 0.1), Snapshot(200, 0.05), Snapshot(200, 0.1)]
    np.testing.assert_allclose(post_hoc_weights(snapshots, 200, 0.1), [0, 0, 0, 1], atol=1e-6)


def test_several_averages_are_updated_at_once() -> None:
    live = [torch.ones(3), torch.full((2,), 2.0)]
    slow, fast = ([torch.zeros(3), torch.zeros(2)] for _ in range(2))
    update([slow, fast], live, [0.9, 0.5])
    torch.testing.assert_close(slow[1], torch.full((2,), 0.2))
    torch.testing.assert_close(fast[0], torch.full((3,), 0.5))


def test_states_are_added_up_in_their_own_precision() -> None:
    one = {"w": torch.tensor([1.0, 2.0]), "steps": torch.tensor(3)}
    other = {"w": torch.tensor([3.0, -2.0]), "steps": torch.tensor(4)}
    made = combine([one, other], [0.25, 0.75])
    assert made["w"].dtype == torch.float32
    torch.testing.assert_close(made["w"], torch.tensor([2.5, -1.0]))
    assert int(made["steps"]) == 4
    with pytest.raises(BadInput, match="snapshot 2 holds other tensors"):
        combine([one, {"v": torch.zeros(2)}], [0.5, 0.5])
    with pytest.raises(ValueError, match="argument 2 is longer"):
        combine([one], [0.5, 0.5])


@pytest.mark.parametrize(
    ("snapshots", "std", "said"),
    [
        ([], 0.1, "without snapshots"),
        ([Snapshot(500, 0.1), Snapshot(500, 0.05)], 0.1, "kept at: 500"),
        ([Snapshot(100, 0.1)], 0.05, "needs snapshots of two lengths"),
        ([Snapshot(100, 0.1), Snapshot(100, 0.05)], 0.02, "lengths of 0.05 to 0.15 can be made"),
        ([Snapshot(100, 0.1), Snapshot(100, 0.05)], 0.2, "lengths of 0.05 to 0.15 can be made"),
    ],
)
def test_what_snapshots_cannot_give_is_refused(snapshots, std, said) -> None:
    with pytest.raises(BadInput, match=said):
        post_hoc_weights(snapshots, 200, std)


@pytest.mark.parametrize("std", [0.0, 0.28, -1.0, float("nan")])
def test_lengths_that_no_profile_has_are_refused(std) -> None:
    with pytest.raises(BadInput, match="share of the training"):
        gamma(std)


def test_snapshots_are_kept_every_so_many_steps_and_at_the_end() -> None:
    assert snapshot_steps(100, 250) == [100, 200, 250]
    assert snapshot_steps(100, 200) == [100, 200]
    with pytest.raises(BadInput, match="1 step or more"):
        snapshot_steps(0, 10)


def kept(every: int, until: int) -> list[Snapshot]:
    return [Snapshot(s, std) for std in (0.05, 0.10) for s in snapshot_steps(every, until)]


def test_the_misfit_is_the_distance_of_the_two_profiles() -> None:
    snapshots = kept(250, 1000)
    weights = post_hoc_weights(snapshots, 1000, 0.13)
    t = (np.arange(1_000_000) + 0.5) / 1000

    def profile(std: float, until: float) -> np.ndarray:
        g = gamma(std)
        return np.where(t <= until, (g + 1) / until * (t / until) ** g, 0.0)

    made = sum(w * profile(s.std, s.step) for w, s in zip(weights, snapshots, strict=True))
    wanted = profile(0.13, 1000)
    expected = np.sqrt(((made - wanted) ** 2).sum() / (wanted**2).sum())
    assert misfit(snapshots, 1000, 0.13) == pytest.approx(expected, rel=1e-3)
    assert expected > 0.03


def test_more_snapshots_make_a_better_average_and_a_kept_one_is_exact() -> None:
    found = [misfit(kept(every, 1000), 1000, 0.075) for every in (500, 250, 125, 62)]
    assert found == sorted(found, reverse=True) and found[-1] < 0.005
    assert misfit(kept(500, 1000), 1000, 0.10) < 1e-6


def test_snapshots_too_far_apart_are_refused_with_a_spacing_that_fits() -> None:
    with pytest.raises(BadInput, match=r"(?s)4% off.*at most 3%.*every 125 steps would do"):
        check_post_hoc(500, (0.05, 0.10), 1000, 0.075)
    check_post_hoc(125, (0.05, 0.10), 1000, 0.075)
    check_post_hoc(500, (0.05, 0.10), 1000, 0.10)
