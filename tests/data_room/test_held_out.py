"""What is held out: by rule, in proportion, and never what is trained on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data import held_out
from harness.errors import BadInput


@pytest.mark.slow
@given(
    images=st.integers(40, 5000),
    share=st.floats(0.05, 0.5),
    seed=st.integers(0, 5),
)
def test_a_share_is_exact_and_the_parts_are_all_images_once(
    images: int, share: float, seed: int
) -> None:
    out = held_out.chosen(images, share, seed)
    assert len(out) == len(set(out.tolist())) == round(images * share)
    assert (np.diff(out) > 0).all() and out[0] >= 0 and out[-1] < images
    # one of each stretch: no run of images longer than two stretches is without one
    assert np.diff(np.concatenate([[-1], out, [images]])).max() <= 2 * np.ceil(images / len(out))


def test_classes_of_a_sorted_source_are_held_out_in_proportion(make_images) -> None:
    labels = np.repeat(np.arange(20), 50)
    for seed in range(3):
        counts = np.bincount(labels[held_out.chosen(1000, 0.1, seed)], minlength=20)
        assert counts.tolist() == [5] * 20


def test_seeds_and_shares_hold_out_others_and_the_rule_stands() -> None:
    assert not np.array_equal(held_out.chosen(100, 0.1, 0), held_out.chosen(100, 0.1, 1))
    # Golden: a later version must hold out the same images, or models were trained on them.
    assert held_out.chosen(100, 0.1, 0).tolist() == GOLDEN


GOLDEN = [3, 12, 28, 38, 43, 56, 68, 72, 82, 98]


def test_parts_are_images_with_fingerprints_of_their_own(make_images) -> None:
    images = make_images(40, 4)
    kept, out = (held_out.part(images, 0.2, 0, apart) for apart in (False, True))
    assert (len(kept), len(out)) == (32, 8)
    assert held_out.whole(kept) is images and held_out.whole(images) is images
    seen = {p[i][0].tobytes() for p in (kept, out) for i in range(len(p))}
    assert len(seen) == 40
    assert len({kept.fingerprint, out.fingerprint, images.fingerprint}) == 3
    assert kept.labels is not None and [kept[i][1] for i in range(32)] == kept.labels.tolist()
    assert kept.class_names == images.class_names


def test_which_splits_are_held_out() -> None:
    apart = {s: held_out.is_held_out(s, False) for s in ("train", "reference", "floor")}  # type: ignore[arg-type]
    assert apart == {"train": False, "reference": False, "floor": True}
    swapped = {s: held_out.is_held_out(s, True) for s in ("train", "reference", "floor")}  # type: ignore[arg-type]
    assert swapped == {"train": False, "reference": True, "floor": False}


def test_too_few_images_are_refused_with_what_would_do() -> None:
    with pytest.raises(
        BadInput, match=r"0\.1 of 12 images is 1.*larger share \(0\.17\), or.* 15 im"
    ):
        held_out.count_of(12, 0.1)
    assert held_out.count_of(15, 0.1) == 2
    with pytest.raises(BadInput, match="too few to hold some out"):
        held_out.count_of(3, 0.1)
