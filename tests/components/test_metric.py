"""The contract of metrics: names in the records, and what is refused early."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import pytest

from harness.components import Metric, Value, get
from harness.components.metric import BUILT_IN
from harness.errors import BadInput


class Gap(Metric):
    """A number."""

    name: ClassVar[str] = "gap"
    title: ClassVar[str] = "Gap"
    short_title: ClassVar[str] = "gap"
    better: ClassVar[Literal["lower", "higher"]] = "lower"
    needs: ClassVar[tuple[str, ...]] = ("pool", "spatial")

    def measure(self, generated: Any, reference: Any, shared: Any) -> Value:
        return Value(1.0)


def test_only_inception_2015_gives_names_of_papers() -> None:
    fd: Any = get("metric", "fd")
    assert fd.recorded("inception-2015") == "fid"
    assert fd.recorded("glyphs-cnn") == "fd_glyphs_cnn"
    assert fd.recorded("inception-custom") == "fd_inception_custom"
    assert Gap.recorded("inception-2015") == "gap"


def test_recorded_names_of_ours_do_not_meet() -> None:
    ours: list[Any] = [get("metric", name) for name in BUILT_IN]
    for extractor in ("inception-2015", "clip"):
        recorded = [cls.recorded(extractor) for cls in ours]
        assert len(set(recorded)) == len(recorded)
    published = {cls.recorded("inception-2015") for cls in ours}
    assert not published & {cls.recorded("clip") for cls in ours}


def test_features_that_the_extractor_lacks_are_named() -> None:
    shared: Any = None
    Gap().check(10, ("pool", "spatial"), 64, shared)
    with pytest.raises(
        BadInput, match="metric 'gap' is computed from spatial features, which the extractor"
    ):
        Gap().check(10, ("pool",), 64, shared)
    with pytest.raises(BadInput, match="from pooled features and spatial features"):
        Gap().check(10, (), None, shared)


def test_one_that_says_nothing_more_asks_for_nothing() -> None:
    gap, shared = Gap(), None
    gap.check_reference(0, shared)  # type: ignore[arg-type]
    assert gap.remark("gap", 10, None, None, 8) is None and gap.balls(3) == {}
    assert not gap.copying and not gap.looks_mirrored
    value = gap.measure(None, None, None)
    assert (value.std, value.std_df, value.details) == (None, None, {})
