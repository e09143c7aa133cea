"""harness.testing.check finds the component and says which law broke."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import harness.testing
from harness.components import UnknownComponent, registry
from harness.components.sampler import Sampler
from harness.diffusion.ddpm import DDIM, DDPM
from harness.diffusion.flow import Flow
from harness.errors import BadInput


def test_a_name_a_class_or_an_instance_can_be_checked() -> None:
    harness.testing.check("objective", "flow", prediction="data")
    harness.testing.check("objective", Flow, shift=2.0)
    harness.testing.check("objective", Flow(time="logit-normal"))


def test_names_and_kinds_that_are_not_there_are_refused() -> None:
    with pytest.raises(UnknownComponent, match="did you mean 'flow'"):
        harness.testing.check("objective", "flwo")
    with pytest.raises(BadInput, match="no kind"):
        harness.testing.check("objectives", "flow")
    with pytest.raises(TypeError, match="has its settings"):
        harness.testing.check("objective", Flow(), shift=2.0)


def test_a_component_of_another_kind_is_refused() -> None:
    with pytest.raises(AssertionError, match="not derived from the contract of the kind sampler"):
        harness.testing.check("sampler", DDPM())


def test_every_broken_law_is_named_and_an_exception_is_a_broken_law() -> None:
    class Broken(Flow):
        """Breaks two laws."""

        name = "broken"

        @property
        def time_range(self):
            return 0.4, 0.6

        def training_losses(self, network, x, t, noise, **condition):
            raise KeyError("velocity")

    with pytest.raises(AssertionError) as caught:
        harness.testing.check("objective", Broken)
    said = str(caught.value)
    assert "the objective 'broken' breaks its contract" in said
    assert "times_are_drawn_from_the_generator_alone: draw_times gave" in said
    assert "losses_are_one_per_row: raised KeyError: 'velocity'" in said


@pytest.mark.slow
def test_a_setting_without_description_is_named() -> None:
    class Bare(DDIM):
        """A setting without a docstring."""

        name = "bare"
        strength: float = 1.0

    with pytest.raises(BadInput, match="strength have no description"):
        harness.testing.check("sampler", Bare)
    with pytest.raises(AssertionError, match="every_setting_is_described"):
        harness.testing.check("sampler", Bare())


def test_a_setting_that_can_be_changed_is_found() -> None:
    class Loose(Flow, frozen=False):
        """Not frozen."""

        name = "loose"

    with pytest.raises(AssertionError, match="settings_are_frozen: the setting prediction"):
        harness.testing.check("objective", Loose)


def test_a_key_that_forgets_a_setting_is_found() -> None:
    class Forgetful(Flow):
        """Its key lacks the shift."""

        name = "forgetful"

        def key_fields(self, role):
            content = self.content()
            content.pop("shift")
            return {role: content}

    with pytest.raises(AssertionError, match="a_key_is_read_back"):
        harness.testing.check("objective", Forgetful, shift=2.0)


def test_an_abstract_component_is_refused() -> None:
    class Half(Sampler):
        """Has no method."""

        name = "half"
        serves = ("flow",)

    with pytest.raises(BadInput, match="lacks check, sample, times"):
        harness.testing.check("sampler", Half)


def broken_laws(module: str) -> Iterator[str]:
    """The laws that a test file of this folder shows broken: its tables BROKEN name them."""
    path = Path(__file__).parent / f"{module}.py"
    spec = importlib.util.spec_from_file_location(f"shown_{module}", path)
    assert spec is not None and spec.loader is not None
    loaded = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    for name, table in vars(loaded).items():
        if name.startswith("BROKEN"):
            for row in table:
                yield from (str(getattr(cell, "__name__", cell)) for cell in row)


@pytest.mark.parametrize("kind", sorted(registry.KINDS))
def test_every_law_is_shown_broken_by_some_component(kind: str) -> None:
    """A law that nothing can break holds nothing."""
    shown = {*broken_laws("test_settings"), *broken_laws(f"test_{kind}")}
    unbroken = [law.__name__ for law in harness.testing.laws(kind) if law.__name__ not in shown]
    assert not unbroken, f"no component in tests/testing/test_{kind}.py breaks {unbroken}"
