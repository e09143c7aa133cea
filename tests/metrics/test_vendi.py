from __future__ import annotations

import numpy as np
import pytest

from harness.metrics.features import Features
from harness.metrics.moments import Moments
from harness.metrics.reference import Reference
from harness.metrics.shared import Shared
from harness.metrics.vendi import Vendi, effective_number
from harness.testing import check


def test_it_keeps_the_laws_of_metrics() -> None:
    check("metric", "vendi")


@pytest.mark.parametrize("kinds", [1, 3, 8])
def test_kinds_that_have_nothing_in_common_count_one_each(kinds: int) -> None:
    rows = np.repeat(np.eye(8)[:kinds], 5, axis=0)
    assert effective_number(rows) == pytest.approx(kinds)


def test_more_images_than_dimensions_or_fewer_give_one_number() -> None:
    rows = np.random.default_rng(0).normal(size=(20, 20))
    wide = np.concatenate([rows, np.zeros((20, 30))], axis=1)  # 50 dimensions: the other kernel
    assert effective_number(wide) == pytest.approx(effective_number(rows))
    assert effective_number(np.zeros((3, 2))) == 1.0


def test_a_model_that_draws_few_kinds_has_less_than_real_images() -> None:
    random = np.random.default_rng(0)
    real = random.normal(size=(400, 10)).astype(np.float32)
    reference = Reference("x", "0" * 64, Moments.of(real), None, real, 400, "0")
    few = real[:4][random.integers(0, 4, 400)] + 0.01 * random.normal(size=(400, 10))
    metric = Vendi()
    alike, varied = (
        metric.measure(Features(rows.astype(np.float32)), reference, Shared([metric]))
        for rows in (few, random.normal(size=(400, 10)))
    )
    assert alike.value < 0.5 and varied.value == pytest.approx(1, abs=0.05)
    assert varied.std is not None and varied.std < 0.05 and varied.details["images"] == 400
