from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import BadInput
from harness.metrics import inception_score, scores
from harness.metrics.scores import inception_score_chunks


def by_definition(p: np.ndarray) -> float:
    """exp(mean KL(p_i || mean p)) in float64, entry by entry."""
    p = p.astype(np.float64)
    q = p.mean(0)
    kl = [sum(a * np.log(a / b) for a, b in zip(row, q, strict=True) if a > 0) for row in p]
    return float(np.exp(np.mean(kl)))


def test_golden_probabilities_give_the_scores_of_adms_evaluator(golden, expected):
    first = inception_score(golden["preds"][:5000])
    assert first == pytest.approx(expected["inception_score_first_5000"], rel=1e-6)
    split = inception_score(golden["preds"], split_size=600)
    assert split == pytest.approx(expected["inception_score_6000_split_600"], rel=1e-6)


def test_it_equals_torch_fidelity_in_file_order():
    from torch_fidelity.metric_isc import isc_features_to_metric

    logits = torch.randn(900, 20, generator=torch.Generator().manual_seed(0)) * 2
    theirs = isc_features_to_metric(logits, splits=3, shuffle=False)
    ours = inception_score_chunks(logits.double().softmax(1).numpy(), 300)
    assert ours.value == pytest.approx(theirs["inception_score_mean"], rel=1e-9)
    assert ours.std == pytest.approx(theirs["inception_score_std"], rel=1e-7)
    assert (ours.chunks, ours.used) == (3, 900)
    from_logits = inception_score_chunks(logits.numpy(), 300, logits=True)
    assert from_logits.value == pytest.approx(theirs["inception_score_mean"], rel=1e-7)
    assert from_logits.std == pytest.approx(theirs["inception_score_std"], rel=1e-5)


def test_a_short_last_chunk_is_refused_unless_asked_for(golden):
    p = golden["preds"][:5001]
    with pytest.raises(BadInput, match="leave a last chunk of 1"):
        inception_score(p)
    dropped = inception_score(p, short_last_chunk="drop")
    assert dropped == inception_score(p[:5000])
    # As ADM's evaluator: the mean of 2.99 and of the one-image chunk's 1.00
    assert inception_score(p, short_last_chunk="keep") == pytest.approx((dropped + 1) / 2)


def test_fewer_samples_than_a_chunk_are_a_short_chunk_too(golden):
    p = golden["preds"][:100]
    with pytest.raises(BadInput, match="100 samples in chunks of 5000"):
        inception_score(p)
    with pytest.raises(BadInput, match="do not fill one chunk"):
        inception_score(p, short_last_chunk="drop")
    kept = inception_score_chunks(p, short_last_chunk="keep")
    assert kept.value == inception_score(p, split_size=100) and kept.std is None


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**31),
    st.integers(1, 50),
    st.integers(1, 12),
    st.sampled_from([1, 7, 128]),
    st.sampled_from([np.float16, np.float32, np.float64]),
)
def test_it_equals_the_definition_with_impossible_classes_in_any_block_size(
    seed, n, classes, block, dtype
):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(classes, 0.3), n)
    p[rng.random(p.shape) < 0.4] = 0  # 0 log 0 = 0
    p[np.arange(n), rng.integers(0, classes, n)] += 0.1
    p = (p / p.sum(1, keepdims=True)).astype(dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scores, "_ROWS", block)
        assert inception_score(p, n) == pytest.approx(by_definition(p), rel=1e-6, abs=2e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 300), st.floats(0, 300))
def test_logits_give_the_score_of_their_softmax_however_large_they_are(seed, n, scale):
    logits = (np.random.default_rng(seed).normal(size=(n, 9)) * scale + 50).astype(np.float32)
    p = torch.from_numpy(logits).double().softmax(1).numpy()
    assert inception_score(logits, n, logits=True) == pytest.approx(by_definition(p), rel=1e-5)


@pytest.mark.slow
def test_a_far_more_likely_class_costs_no_digits_in_float32():
    # The float32 sums must be of entropies, not of log p and log q, which nearly cancel
    p = np.full((500, 1008), 1e-9, np.float32)
    p[:, 0] = 1
    p[:250, 1] = 1e-3
    p /= p.sum(1, keepdims=True)
    assert inception_score(p, 500) - 1 == pytest.approx(by_definition(p) - 1, rel=1e-3)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 50), st.integers(2, 12))
def test_the_score_lies_between_one_and_the_number_of_classes(seed, n, classes):
    p = np.random.default_rng(seed).dirichlet(np.full(classes, 0.3), n).astype(np.float32)
    assert 1 <= inception_score(p, split_size=n) <= classes + 1e-6


def test_certain_and_balanced_predictions_score_the_number_of_classes():
    assert inception_score(np.eye(10, dtype=np.float32), 10) == pytest.approx(10)
    assert inception_score(np.full((10, 4), 0.25), 10) == pytest.approx(1)


@pytest.mark.parametrize(
    ("p", "message"),
    [
        (np.array([[3.0, -1.0]]), "are these logits"),
        (np.array([[1.5, 0.0, -0.5]]), "are these logits"),
        (np.ones((4, 0)), "at least one sample"),
        (np.array([[0.5, 0.2]]), "sum to 1"),
        (np.array([[np.nan, 1.0]]), "row 0 holds NaN"),
        (np.zeros((0, 3)), "at least one sample"),
    ],
)
def test_what_are_no_probabilities_is_refused(p, message):
    with pytest.raises(BadInput, match=message):
        inception_score(p, split_size=1)
