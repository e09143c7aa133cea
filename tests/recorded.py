"""A package that is not installed, in its place: it writes down what it is called with."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest


class Recorder:
    """Any attribute is a function that notes its call, and returns a recorder of the same notes."""

    def __init__(self, calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]]) -> None:
        self.calls = calls

    def __getattr__(self, name: str) -> Any:
        def call(*words: Any, **more: Any) -> Any:
            self.calls.append((name, words, more))
            return Recorder(self.calls)

        return call

    def of(self, name: str) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
        """The calls of one function, in their order."""
        return [(words, more) for called, words, more in self.calls if called == name]


def package(patch: pytest.MonkeyPatch, name: str, **functions: Any) -> Recorder:
    """`import name` finds a recorder; `functions` are called as they are."""
    recorder = Recorder([])
    module = ModuleType(name)
    module.__getattr__ = lambda attribute: functions.get(  # type: ignore[method-assign]
        attribute, getattr(recorder, attribute)
    )
    patch.setitem(sys.modules, name, module)
    return recorder
