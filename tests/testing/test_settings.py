"""The laws of every component's settings are kept by ours and found broken in a bad one."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from pydantic import ConfigDict

from harness.components import Schedule, get, names
from harness.testing import settings as laws


class Good(Schedule):
    """A schedule."""

    name: ClassVar[str] = "good"

    share: float = 0.5
    "Of the rate."

    def factor(self, step: int, horizon: int) -> float:
        return self.share


class Loose(Good):
    """One that can be changed after it was keyed."""

    model_config = ConfigDict(frozen=False)


class Forgetful(Good):
    """One whose key leaves a setting out."""

    def key_fields(self, role: str) -> dict[str, Any]:
        return {role: self.name}


class Wordless(Good):
    """One with a setting that nobody explains."""

    more: int = 1


@pytest.mark.parametrize("law", laws.LAWS)
def test_a_good_one_keeps_each_law(law: Any) -> None:
    law(Good(share=0.25))


BROKEN = [
    (laws.settings_are_frozen, Loose(), "the setting share can be set on an instance"),
    (laws.a_key_is_read_back, Forgetful(share=0.25), "which from_key reads as"),
    (laws.every_setting_is_described, Wordless(), "more"),
]


@pytest.mark.parametrize(("law", "broken", "said"), BROKEN)
def test_a_broken_law_is_named(law: Any, broken: Any, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        law(broken)


@pytest.mark.parametrize("kind", ["schedule", "optimizer", "sampler", "tracker"])
def test_ours_keep_them(kind: str) -> None:
    for name in names(kind):
        for law in laws.LAWS:
            law(get(kind, name)())
