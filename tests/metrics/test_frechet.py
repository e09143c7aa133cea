from __future__ import annotations

import warnings

import mpmath  # torch brings it
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import BadInput
from harness.metrics import Moments, frechet_distance
from harness.metrics.frechet import moments_distance

quick = settings(max_examples=25, deadline=None)
seeds = st.integers(0, 2**31)
# Fewer samples than dimensions is the rank-deficient case
shapes = st.tuples(st.integers(2, 40), st.integers(1, 20))


def features(seed: int, n: int, d: int, shift: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(shift, 1, (n, d)) @ rng.normal(0, 1, (d, d))


def distance(a: np.ndarray, b: np.ndarray) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return moments_distance(Moments.of(a), Moments.of(b))


def test_golden_features_give_the_fid_of_adms_evaluator(golden, expected):
    value = distance(golden["sample"], golden["ref"])
    assert value == pytest.approx(expected["fid_ref_vs_sample"], rel=1e-6)


@quick
@given(seeds, shapes)
def test_a_set_is_at_distance_zero_from_itself(seed, shape):
    x = features(seed, *shape)
    assert 0 <= distance(x, x) <= 1e-9 * max(1.0, np.trace(np.cov(x.T).reshape(shape[1], -1)))


@quick
@given(seeds, seeds, shapes, st.integers(2, 40))
def test_the_distance_is_symmetric_and_not_negative(seed, other, shape, n):
    a, b = features(seed, *shape), features(other, n, shape[1], shift=0.5)
    assert distance(a, b) >= 0
    assert distance(a, b) == pytest.approx(distance(b, a), rel=1e-7, abs=1e-7)


@quick
@given(seeds, shapes)
def test_the_order_of_the_samples_does_not_matter(seed, shape):
    a, b = features(seed, *shape), features(seed + 1, *shape)
    shuffled = np.random.default_rng(seed).permutation(a)
    assert distance(shuffled, b) == pytest.approx(distance(a, b), rel=1e-7, abs=1e-7)


@quick
@given(seeds, st.integers(1, 15))
def test_it_equals_the_definition_by_the_matrix_root(seed, d):
    a, b = features(seed, 60, d), features(seed + 1, 80, d, shift=0.3)
    (m1, s1), (m2, s2) = [(x.mean(0), np.cov(x.T).reshape(d, d)) for x in (a, b)]
    root = scipy.linalg.sqrtm(s1 @ s2)
    definition = np.sum((m1 - m2) ** 2) + np.trace(s1 + s2) - 2 * np.trace(root).real
    assert frechet_distance(m1, s1, m2, s2) == pytest.approx(definition, rel=1e-6, abs=1e-8)


@quick
@given(st.lists(st.floats(0, 100), min_size=1, max_size=12), st.integers(0, 1000))
def test_commuting_covariances_follow_the_closed_form_at_any_rank(variances, seed):
    d = len(variances)
    basis = np.linalg.qr(np.random.default_rng(seed).normal(size=(d, d)))[0]
    v1, v2 = np.array(variances), np.roll(variances, 1)
    exact = float(np.sum((np.sqrt(v1) - np.sqrt(v2)) ** 2))
    s1, s2 = ((basis * v) @ basis.T for v in (v1, v2))
    zero = np.zeros(d)
    # The root of a rounding error in a covariance is 1e-8 of its scale, whatever the algorithm
    assert frechet_distance(zero, s1, zero, s2) == pytest.approx(exact, rel=1e-6, abs=1e-4)


def test_rank_deficient_covariances_are_exact_where_squaring_would_lose_digits():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(20, 200)), rng.normal(size=(15, 200)) * 3
    a0, b0 = a - a.mean(0), b - b.mean(0)
    # tr (S1 S2)^(1/2) is the nuclear norm of the product of the centred samples themselves
    nuclear = np.linalg.svd(a0 @ b0.T, compute_uv=False).sum() / np.sqrt(19 * 14)
    exact = (
        np.sum((a.mean(0) - b.mean(0)) ** 2)
        + np.trace(np.cov(a.T))
        + np.trace(np.cov(b.T))
        - 2 * nuclear
    )
    assert distance(a, b) == pytest.approx(exact, rel=1e-10)


def nuclear(a: np.ndarray, b: np.ndarray) -> float:
    """tr (S1 S2)^(1/2) from the samples: the nuclear norm of their centred product."""
    product = (a - a.mean(0)) @ (b - b.mean(0)).T
    scale = np.sqrt((len(a) - 1) * (len(b) - 1))
    return float(np.linalg.svd(product, compute_uv=False).sum() / scale)


@pytest.mark.parametrize("seed", range(30))
def test_a_feature_that_the_others_determine_leaves_no_rounding_behind(seed):
    # Rounding makes the last pivot of a singular covariance positive in a third of these: its root
    # would add 1e-9 to the trace.
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(30, 10)), rng.normal(size=(40, 10))
    a[:, 9] = 1 - a[:, :9].sum(1)
    exact = float(np.square(a.mean(0) - b.mean(0)).sum())
    exact += float(a.var(0, ddof=1).sum() + b.var(0, ddof=1).sum()) - 2 * nuclear(a, b)
    assert distance(a, b) == pytest.approx(exact, rel=1e-12, abs=1e-12 * np.trace(np.cov(b.T)))
    assert distance(b, a) == pytest.approx(exact, rel=1e-12, abs=1e-12 * np.trace(np.cov(b.T)))


@pytest.mark.parametrize("small", [1e-3, 1e-6, 1e-8, 1e-10, 1e-13, 1e-15, 0])
@pytest.mark.parametrize("share", [0.5, 0.95])
def test_covariances_of_any_condition_are_as_exact_as_well_conditioned_ones(small, share):
    d = 100
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(d, d)))[0]
    variances = np.where(np.arange(d) < share * d, small, 1.0)
    covariance = (basis * variances) @ basis.T
    shift = np.zeros(d)
    shift[0] = 1  # without it, a negative rounding error would be cut off at 0 and not be seen
    value = frechet_distance(shift, covariance, np.zeros(d), covariance)
    assert value == pytest.approx(1, abs=1e-9 * variances.sum())
    value = frechet_distance(shift, covariance, np.zeros(d), 9 * covariance)
    assert value == pytest.approx(1 + 4 * variances.sum(), rel=1e-9)


def test_well_conditioned_covariances_take_the_quick_way(monkeypatch):
    monkeypatch.setattr(scipy.linalg, "svdvals", lambda *a, **k: pytest.fail("three times slower"))
    assert distance(features(0, 300, 20), features(1, 300, 20)) > 0


def by_mpmath(a: Moments, b: Moments) -> float:
    """The definition with 50 digits, by way of (S1^(1/2) S2 S1^(1/2))^(1/2)."""
    mpmath.mp.dps = 50
    s1, s2 = (mpmath.matrix(m.covariance.tolist()) for m in (a, b))

    def roots(values):
        return [mpmath.sqrt(v) if v > 0 else 0 for v in values]

    values, vectors = mpmath.eigsy(s1)
    root = vectors * mpmath.diag(roots(values)) * vectors.T
    trace = sum(roots(mpmath.eigsy(root * s2 * root, eigvals_only=True)))
    means = sum((mpmath.mpf(x) - y) ** 2 for x, y in zip(a.mean, b.mean.tolist(), strict=True))
    return float(means + sum(s1[i, i] + s2[i, i] for i in range(a.dimensions)) - 2 * trace)


SETS = {
    "well conditioned": lambda x: x,
    "a mean of a million": lambda x: x + 1e6,
    "of scales 1e-8 to 1e8": lambda x: x * 10.0 ** np.linspace(-8, 8, 6),
    "a constant feature": lambda x: np.concatenate([x, np.ones((len(x), 1))], axis=1),
    "very small": lambda x: x * 1e-140,
    "very large": lambda x: x * 1e140,
}


@pytest.mark.parametrize("kind", SETS)
def test_it_equals_the_definition_worked_out_with_fifty_digits(kind):
    rng = np.random.default_rng(1)
    a, b = (Moments.of(SETS[kind](rng.normal(s, 1 + s, (20, 6)))) for s in (0, 0.2))
    value = frechet_distance(a.mean, a.covariance, b.mean, b.covariance)
    assert value == pytest.approx(by_mpmath(a, b), rel=1e-8)


def test_constant_features_do_not_disturb_the_distance():
    a, b = features(0, 100, 6), features(1, 100, 6)
    padded = [np.concatenate([x, np.full((100, 3), 7.0)], axis=1) for x in (a, b)]
    assert distance(*padded) == pytest.approx(distance(a, b), rel=1e-9)
    still = np.full((10, 4), 2.0)
    assert distance(still, still) == 0.0
    assert distance(still, still + 1) == pytest.approx(4.0)


@quick
@given(seeds, st.integers(1, 12), st.floats(0.2, 1), st.floats(1.5, 4))
def test_adding_noise_raises_the_distance(seed, d, some, times):
    real = features(seed, 3000, d)
    noise = np.random.default_rng(seed + 1).normal(size=real.shape) * real.std(0)
    values = [distance(real + s * noise, real) for s in (0.0, some, some * times)]
    assert values == sorted(values) and values[0] < 1e-8 * np.trace(np.cov(real.T).reshape(d, d))
    assert values[1] > 1e-4 * np.trace(np.cov(real.T).reshape(d, d))


@pytest.mark.parametrize("n", [2, 5, 10])
def test_no_more_samples_than_dimensions_warn_and_still_give_a_number(n):
    few, many = Moments.of(features(0, n, 10)), Moments.of(features(1, 50, 10))
    with pytest.warns(UserWarning, match=f"^{n} generated samples for 10 dimensions"):
        value = moments_distance(few, many)
    assert np.isfinite(value) and value > 0
    with pytest.warns(UserWarning, match=f"^{n} reference samples for 10 dimensions"):
        moments_distance(many, few)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        moments_distance(Moments.of(features(0, 11, 10)), many)


def test_statistics_of_another_dimension_are_refused_in_words():
    with pytest.raises(BadInput, match="64 and of 32 dimensions"):
        frechet_distance(np.zeros(64), np.eye(64), np.zeros(32), np.eye(32))
    with pytest.raises(BadInput, match=r"expected \(D,\) and \(D, D\)"):
        frechet_distance(np.zeros(4), np.eye(5), np.zeros(4), np.eye(4))


@pytest.mark.parametrize(
    ("covariance", "message"),
    [
        (np.diag([1.0, np.nan]), "first statistics hold NaN"),
        (np.array([[1.0, 0.5], [0.0, 1.0]]), "not symmetric"),
        (np.diag([1.0, -1.0]), "negative variance"),
        (np.array([[1.0, 2.0], [2.0, 1.0]]), "not positive semidefinite"),
    ],
)
def test_a_covariance_that_is_none_is_refused(covariance, message):
    with pytest.raises(BadInput, match=message):
        frechet_distance(np.zeros(2), covariance, np.zeros(2), np.eye(2))


def test_statistics_stored_as_float32_are_no_less_semidefinite():
    for seed in range(5):
        rng = np.random.default_rng(seed)
        a, b = (rng.normal(size=(50, 192)) * np.geomspace(1, 50, 192) for _ in range(2))
        (m1, s1), (m2, s2) = ((x.mean(0), np.cov(x.T)) for x in (a, b))
        exact = frechet_distance(m1, s1, m2, s2)
        stored = [x.astype(np.float32) for x in (m1, s1, m2, s2)]
        assert frechet_distance(*stored) == pytest.approx(exact, rel=1e-4)


@pytest.mark.parametrize(("condition", "quick"), [(1e4, True), (1e6, True), (1e9, False)])
def test_spectra_that_fall_off_take_the_quick_way_up_to_a_million(condition, quick, monkeypatch):
    d = 200
    spectrum = np.arange(1, d + 1) ** (-np.log10(condition) / np.log10(d))
    rng = np.random.default_rng(0)
    bases = [np.linalg.qr(rng.normal(size=(d, d)))[0] for _ in range(2)]
    s1, s2 = ((basis * spectrum) @ basis.T for basis in bases)
    r1, r2 = (basis * np.sqrt(spectrum) for basis in bases)
    exact = 2 * spectrum.sum() - 2 * np.linalg.svd(r1.T @ r2, compute_uv=False).sum()
    taken = []
    direct = scipy.linalg.svdvals
    monkeypatch.setattr(scipy.linalg, "svdvals", lambda *a, **k: taken.append(1) or direct(*a, **k))
    value = frechet_distance(np.zeros(d), s1, np.zeros(d), s2)
    assert value == pytest.approx(exact, rel=1e-9)
    assert (not taken) == quick
