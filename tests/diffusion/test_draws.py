from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.diffusion import Diffusion, SampleNoise, sample_labels, training_draws
from harness.diffusion.draws import AHEAD
from harness.errors import BadInput

SHAPE = (3, 4, 4)


def batches(count: int, size: int):
    return [range(start, min(start + size, count)) for start in range(0, count, size)]


@pytest.mark.parametrize("step", [None, 0, 5])
def test_noise_and_labels_are_the_same_for_batches_of_7_and_of_32(step) -> None:
    def draws(size: int) -> torch.Tensor:
        noises = [SampleNoise(3, indices, SHAPE) for indices in batches(100, size)]
        return torch.cat([n.initial() if step is None else n(step) for n in noises])

    assert torch.equal(draws(7), draws(32))
    labels = [torch.cat([sample_labels(3, b, 10) for b in batches(100, s)]) for s in (7, 32)]
    assert torch.equal(*labels)


@given(
    indices=st.lists(st.integers(0, 10**6), min_size=1, max_size=5, unique=True),
    seed=st.integers(0, 2**32),
    order=st.permutations(range(-1, 4)),
)
@settings(max_examples=30, deadline=None)
def test_noise_is_a_function_of_seed_index_and_step_in_any_order(indices, seed, order) -> None:
    together = SampleNoise(seed, indices, SHAPE)
    for step in order:
        got = together.initial() if step < 0 else together(step)
        for row, index in enumerate(indices):
            alone = SampleNoise(seed, [index], SHAPE)
            assert torch.equal(got[row], (alone.initial() if step < 0 else alone(step))[0])


def test_noises_of_different_seeds_indices_and_steps_differ() -> None:
    rows = [
        draw[row].flatten()
        for noise in (SampleNoise(0, [0, 1], SHAPE), SampleNoise(1, [0, 1], SHAPE))
        for draw in (noise.initial(), noise(0), noise(1))
        for row in range(2)
    ]
    stacked = torch.stack(rows)
    assert len(torch.unique(stacked, dim=0)) == len(rows)


def test_noise_already_given_is_not_changed_by_later_draws() -> None:
    noise = SampleNoise(0, range(2), SHAPE)
    first = noise(0)
    kept = first.clone()
    noise(1)
    assert torch.equal(first, kept)


def test_noise_is_standard_normal() -> None:
    x = SampleNoise(0, range(500), (3, 8, 8))(2).flatten().numpy()
    assert x.dtype == np.float32
    assert abs(x.mean()) < 0.02 and abs(x.std() - 1) < 0.02 and abs((x**4).mean() - 3) < 0.1


def test_a_trajectory_is_replayed_exactly() -> None:
    diffusion = Diffusion(sampling=8)
    model = lambda x, t: torch.cat([torch.tanh(x), x.sin()], dim=1)  # noqa: E731
    noise = SampleNoise(5, [4, 9], SHAPE)
    first = diffusion.sample(model, noise.initial(), noise)
    assert torch.equal(first, diffusion.sample(model, noise.initial(), noise))


def test_labels_are_uniform_in_range_and_differ_by_seed() -> None:
    labels = sample_labels(0, range(50_000), 1000)
    assert labels.dtype == torch.int64 and labels.min() == 0 and labels.max() == 999
    counts = torch.bincount(labels, minlength=1000).double()
    chi_squared = ((counts - 50) ** 2 / 50).sum()
    assert 999 - 5 * 45 < chi_squared < 999 + 5 * 45  # mean 999, deviation about 45
    assert (labels != sample_labels(1, range(50_000), 1000)).double().mean() > 0.99
    neighbours = (labels[1:] == labels[:-1]).double().mean()
    assert neighbours < 0.003


def test_labels_in_the_proportions_of_counts() -> None:
    counts = np.array([1, 0, 600, 399])
    labels = sample_labels(0, range(100_000), 4, counts)
    assert labels.dtype == torch.int64
    found = torch.bincount(labels, minlength=4).double() / 100
    assert found[1] == 0  # a class without images is never drawn
    spread = (counts * (1000 - counts) / 100).clip(1) ** 0.5
    assert (abs(found.numpy() - counts) < 5 * spread / 10**0.5 + 1e-9).all()
    parts = [sample_labels(0, range(a, a + 50), 4, counts) for a in range(0, 200, 50)]
    assert torch.equal(torch.cat(parts), labels[:200])


@pytest.mark.parametrize("each", [1, 7, 12_000])
def test_equal_counts_give_the_labels_that_none_give(each: int) -> None:
    plain = sample_labels(3, range(5000), 10)
    assert torch.equal(sample_labels(3, range(5000), 10, np.full(10, each)), plain)


@pytest.mark.parametrize("counts", [[1, 2], [0, 0, 0], [2**31, 2**31, 1]])
def test_counts_that_cannot_be_drawn_by_are_refused(counts: list[int]) -> None:
    with pytest.raises(BadInput, match=f"counts of {len(counts)} labels for 3 classes"):
        sample_labels(0, [1], 3, np.array(counts))


def test_one_class_gives_one_label() -> None:
    assert sample_labels(0, [1, 5], 1).tolist() == [0, 0]
    with pytest.raises(BadInput):
        sample_labels(0, [1], -1)


def test_without_classes_all_labels_are_the_null_label() -> None:
    assert sample_labels(0, [1, 5], 0).tolist() == [0, 0]


@given(
    batch=st.integers(1, 100),
    cut=st.data(),
    seed=st.integers(0, 2**40),
    step=st.integers(0, 10**6),
)
@settings(max_examples=30, deadline=None)
def test_any_rows_of_a_training_batch_are_the_slice_of_the_whole(batch, cut, seed, step) -> None:
    start = cut.draw(st.integers(0, batch - 1))
    stop = cut.draw(st.integers(start + 1, batch))
    whole = training_draws(seed, step, batch, (1, 2, 2), 1000, posterior=True)
    part = training_draws(seed, step, batch, (1, 2, 2), 1000, posterior=True, rows=(start, stop))
    for name in ("t", "noise", "posterior_noise", "drop", "flip"):
        assert torch.equal(getattr(part, name), getattr(whole, name)[start:stop]), name


def test_training_draws_have_the_asked_for_distribution() -> None:
    draws = training_draws(0, 1, 4000, (1, 2, 2), 250, label_dropout=0.1)
    assert draws.noise.shape == (4000, 1, 2, 2) and draws.noise.dtype == torch.float32
    assert draws.posterior_noise is None
    assert draws.t.dtype == torch.int64 and draws.t.min() == 0 and draws.t.max() == 249
    assert abs(draws.t.double().mean() - 124.5) < 5
    assert abs(draws.drop.double().mean() - 0.1) < 0.02
    assert abs(draws.flip.double().mean() - 0.5) < 0.03
    assert abs(draws.noise.std() - 1) < 0.02


def test_training_draws_differ_by_step_and_share_what_settings_do_not_touch() -> None:
    one, two = (training_draws(0, step, 8, SHAPE, 1000) for step in (1, 2))
    assert not torch.equal(one.noise, two.noise) and not torch.equal(one.t, two.t)
    plain = training_draws(0, 1, 8, SHAPE, 1000, label_dropout=0.0, flip=False, posterior=True)
    assert torch.equal(plain.noise, one.noise) and torch.equal(plain.t, one.t)
    assert not plain.drop.any() and not plain.flip.any()
    assert plain.posterior_noise is not None
    assert not torch.equal(plain.posterior_noise, plain.noise)


def test_rows_outside_the_batch_are_refused() -> None:
    with pytest.raises(BadInput, match="global batch of 8"):
        training_draws(0, 0, 8, SHAPE, 1000, rows=(4, 9))


def test_streams_stay_what_they_are() -> None:
    """Pins every stream: a change here changes what a seed means, and old results with it."""
    noise = SampleNoise(0, [7], SHAPE)
    draws = training_draws(0, 3, 4, (1, 1, 1), 1000)
    got = [
        *noise.initial().flatten()[:2].tolist(),
        *noise(0).flatten()[:2].tolist(),
        *draws.noise.flatten()[:2].tolist(),
        training_draws(0, 3, 64, (1, 1, 1), 1000).noise[40].item(),  # from its second block
    ]
    assert got == pytest.approx(PINNED_NORMALS, rel=1e-6)
    assert sample_labels(0, range(6), 1000).tolist() == PINNED_LABELS
    assert draws.t.tolist() == PINNED_TIMESTEPS


PINNED_NORMALS = [0.7827306, 0.6003405, -1.2014388, -0.4069695, 0.3800664, -0.1547126, -2.6186302]
PINNED_LABELS = [375, 969, 657, 170, 719, 355]
PINNED_TIMESTEPS = [805, 698, 291, 477]


@pytest.mark.slow
@given(
    indices=st.lists(st.integers(0, 10**6), min_size=1, max_size=7, unique=True),
    threads=st.integers(1, 4),
    order=st.lists(st.integers(-1, 5), min_size=1, max_size=8),
)
@settings(max_examples=40, deadline=None)
def test_noise_made_ahead_by_threads_is_the_same(indices, threads, order) -> None:
    plain, ahead = SampleNoise(1, indices, SHAPE), SampleNoise(1, indices, SHAPE, threads=threads)
    kept = []
    for step in order:
        got, wanted = (n.initial() if step < 0 else n(step) for n in (ahead, plain))
        assert torch.equal(got, wanted)
        kept.append((got, wanted.clone()))
    assert all(torch.equal(got, wanted) for got, wanted in kept)  # none was drawn over


def test_no_noise_is_made_ahead_for_a_sampler_that_asks_for_none() -> None:
    noise = SampleNoise(1, range(4), SHAPE, threads=2)
    noise.initial()
    assert not noise._begun
    noise(0)
    assert len(noise._begun) == AHEAD


def test_many_samplers_share_the_threads() -> None:
    noises = [SampleNoise(2, range(i, i + 5), SHAPE, threads=2) for i in range(20)]
    plain = [SampleNoise(2, range(i, i + 5), SHAPE) for i in range(20)]
    for step in range(3):
        for ours, theirs in zip(noises, plain, strict=True):
            assert torch.equal(ours(step), theirs(step))


@pytest.mark.parametrize("rows", [None, (0, 70), (33, 70), (64, 65)])
def test_training_draws_of_threads_are_the_same(rows) -> None:
    arguments = (3, 5, 70, SHAPE, 1000, 0.1, True, True, rows)
    plain, threaded = training_draws(*arguments), training_draws(*arguments, threads=3)
    for name, value in vars(plain).items():
        assert torch.equal(value, getattr(threaded, name)), name
