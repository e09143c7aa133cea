"""The contract of extractors: what one gives, needs and is called."""

from __future__ import annotations

from pathlib import Path

import brought
import pytest

from harness.components import Extractor, get
from harness.components.extractor import BUILT_IN


def test_one_that_says_nothing_more_gives_pool_features_of_unknown_width() -> None:
    mine = brought.extractor(tiny=None)()
    assert mine.gives == ("pool",) and mine.width("pool", 32) is None
    assert not mine.trained and not mine.needs_labels and not mine.whole_set_statistics
    assert mine.missing(None) is None and mine.check(None) is None
    assert mine.goes_by("tiny-test") and not mine.goes_by("tiny")
    with pytest.raises(NotImplementedError):
        mine.train(lambda split, count: None, Path(), images=1, steps=1, seed=0, data="x")


def test_the_width_that_is_known_is_of_the_pool_features_alone() -> None:
    inception = get("extractor", "inception-2015")()
    assert isinstance(inception, Extractor)
    assert inception.width("pool", 256) == 2048
    assert {"pool", "spatial", "probabilities"} == set(inception.gives)


def test_only_admitted_features_have_published_statistics_and_only_trained_ones_need_images() -> (
    None
):
    ours = {name: get("extractor", name) for name in BUILT_IN}
    assert {n for n, c in ours.items() if c.whole_set_statistics} == {"inception-2015"}  # type: ignore[attr-defined]
    for name, cls in ours.items():
        if cls.needs_labels:  # type: ignore[attr-defined]
            assert cls.trained, name  # type: ignore[attr-defined]
