"""Our metrics keep the laws; one that breaks a law is found by that law."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import pytest

import harness.testing
from harness.components.metric import Absent, Metric, Value
from harness.testing import metric as laws


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("fd", {}),
        ("sfd", {}),
        ("is", {}),
        ("precision", {}),
        ("recall", {}),
        ("density", {}),
        ("coverage", {}),
        ("kid", {"subset_size": 100, "subsets": 20}),
    ],
)
def test_ours_keep_every_law(name: str, settings: dict[str, int]) -> None:
    harness.testing.check("metric", name, **settings)


class Gap(Metric):
    """Distance of the means."""

    name: ClassVar[str] = "gap"
    title: ClassVar[str] = "gap"
    short_title: ClassVar[str] = "Gap"
    better: ClassVar[Literal["lower", "higher"]] = "lower"
    symmetric: ClassVar[bool] = True

    def measure(self, generated: Any, reference: Any, shared: Any) -> Value:
        if generated.pool is None:
            raise Absent("no pool")
        gap = generated.pool.mean(axis=0, dtype=np.float64) - reference.pool.mean
        return Value(float(np.linalg.norm(gap)))


def test_a_strangers_metric_keeps_every_law() -> None:
    harness.testing.check("metric", Gap)


class WrongWay(Gap):
    """Says that more is better."""

    name: ClassVar[str] = "wrong-way"
    better: ClassVar[Literal["lower", "higher"]] = "higher"


class Undeclared(Gap):
    """Is symmetric and does not say so."""

    name: ClassVar[str] = "undeclared"
    symmetric: ClassVar[bool] = False


class OneSided(Gap):
    """Declared symmetric; the samples' number is in it."""

    name: ClassVar[str] = "one-sided"

    def measure(self, generated: Any, reference: Any, shared: Any) -> Value:
        return Value(super().measure(generated, reference, shared).value * len(generated))


class Noisy(Gap):
    """Another number each time."""

    name: ClassVar[str] = "noisy"

    def measure(self, generated: Any, reference: Any, shared: Any) -> Value:
        found = super().measure(generated, reference, shared).value
        return Value(found * (1 + 1e-9 * np.random.default_rng().random()))


class Greedy(Gap):
    """Needs what it does not name."""

    name: ClassVar[str] = "greedy"

    def measure(self, generated: Any, reference: Any, shared: Any) -> Value:
        more = 0.0 if generated.spatial is None else 1.0
        return Value(super().measure(generated, reference, shared).value + more)


class Inventive(Gap):
    """Gives a number where there is nothing to measure."""

    name: ClassVar[str] = "inventive"

    def measure(self, generated: Any, reference: Any, shared: Any) -> Value:
        if generated.pool is None:
            return Value(0.0)
        return super().measure(generated, reference, shared)


class Worst(Gap):
    """A set against itself is worst."""

    name: ClassVar[str] = "worst"

    def measure(self, generated: Any, reference: Any, shared: Any) -> Value:
        found = super().measure(generated, reference, shared).value
        return Value(100.0 if found < 1e-9 else found)


class Copies(Gap):
    """Tells copies: the share of samples that are among the reference's images."""

    name: ClassVar[str] = "copies"
    copying: ClassVar[bool] = True

    def measure(self, generated: Any, reference: Any, shared: Any) -> Value:
        if generated.pool is None:
            raise Absent("no pool")
        known = {row.tobytes() for row in reference.features}
        return Value(float(np.mean([row.tobytes() in known for row in generated.pool])))


class Praises(Copies):
    """Says that copies are good."""

    name: ClassVar[str] = "praises"
    better: ClassVar[Literal["lower", "higher"]] = "higher"


class Blind(Copies):
    """Sees copies only where half of the samples are."""

    name: ClassVar[str] = "blind"

    def measure(self, generated: Any, reference: Any, shared: Any) -> Value:
        found = super().measure(generated, reference, shared).value
        return Value(found if found > 0.5 else 0.0)


class Excuses(Copies):
    """Takes a set that is all copies for the set itself, and says nothing of it."""

    name: ClassVar[str] = "excuses"

    def measure(self, generated: Any, reference: Any, shared: Any) -> Value:
        found = super().measure(generated, reference, shared).value
        return Value(-1.0 if found == 1.0 else found)


class Reflected(Copies):
    """Tells copies of training images, and where it is asked to, of their mirror images."""

    name: ClassVar[str] = "reflected"

    both: bool = True
    "Look at mirror images too."

    @property
    def looks_mirrored(self) -> bool:
        return self.both

    def measure(self, generated: Any, reference: Any, shared: Any) -> Value:
        if generated.pool is None:
            raise Absent("no pool")
        sets = [reference.features if shared.training is None else shared.training]
        sets += [shared.mirrored] if self.both and shared.mirrored is not None else []
        known = {row.tobytes() for images in sets for row in images}
        return Value(float(np.mean([row.tobytes() in known for row in generated.pool])))


class Secretive(Reflected):
    """Looks at mirror images and does not say so: a study would not give them."""

    name: ClassVar[str] = "secretive"

    @property
    def looks_mirrored(self) -> bool:
        return False


class Boastful(Copies):
    """Says that it looks at mirror images, and does not."""

    name: ClassVar[str] = "boastful"

    @property
    def looks_mirrored(self) -> bool:
        return True


class OfQuality(Gap):
    """No metric of copying, and wants mirror images, which it would never be given."""

    name: ClassVar[str] = "of-quality"

    @property
    def looks_mirrored(self) -> bool:
        return True


def test_a_strangers_metric_of_copying_keeps_every_law() -> None:
    harness.testing.check("metric", Copies)
    harness.testing.check("metric", Reflected)
    harness.testing.check("metric", Reflected, both=False)


BROKEN = [
    (Praises, laws.the_direction_is_true, "of copies it has .* higher is better"),
    (Blind, laws.copies_are_told, "with 0, 10, 50 and 100 % of copies"),
    (Excuses, laws.a_set_against_itself_is_best, "against itself has -1"),
    (WrongWay, laws.the_direction_is_true, "higher is better"),
    (Worst, laws.a_set_against_itself_is_best, "against itself has 100"),
    (OneSided, laws.symmetric_as_declared, "declared symmetric"),
    (Undeclared, laws.symmetric_as_declared, "declare symmetric = True"),
    (Noisy, laws.the_same_twice, "have the values"),
    (Greedy, laws.what_it_needs_it_needs, "does not name"),
    (Secretive, laws.mirror_images_as_declared, "it looks_mirrored, and says that it does not"),
    (Boastful, laws.mirror_images_as_declared, "copies of mirror images have 0.0, others 0.0"),
    (OfQuality, laws.mirror_images_as_declared, "declare copying = True"),
    (Inventive, laws.what_it_needs_it_needs, "without pool, which it needs, it is 0.0"),
]


@pytest.mark.parametrize(("cls", "law", "said"), BROKEN)
def test_a_broken_promise_is_named(cls: type[Gap], law: Any, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        law(cls())
