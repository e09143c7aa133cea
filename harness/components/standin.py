"""A stand-in for torch, while a file that imports it at its top is read for planning.

Whatever is asked of it is another stand-in: a class to derive from, a decorator, a constant. What a
component's light half computes must not depend on it; a number made of it shows at once, as it has
no value.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

PACKAGES = ("torch", "torchvision")


class _Meta(type):
    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Absent


class Absent(metaclass=_Meta):
    """A class, function or value of a package that is not loaded."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __init_subclass__(cls, **_: Any) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Absent

    def __call__(self, *arguments: Any, **_: Any) -> Any:
        """As a decorator it gives back what it decorates."""
        return arguments[0] if arguments and callable(arguments[0]) else Absent()


class _Module(ModuleType):
    __path__: list[str] = []  # noqa: RUF012  (so that its submodules can be imported)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Absent


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname.split(".")[0] in PACKAGES:
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _Module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run."""


@contextmanager
def standing_in(active: bool) -> Iterator[None]:
    """While it lasts, and if `active`, importing torch gives a stand-in.

    Modules of other packages that took hold of it are forgotten afterwards, so that they are
    imported anew, with torch, when somebody needs them.
    """
    if not active:
        yield
        return
    before = set(sys.modules)
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in set(sys.modules) - before:
            module = sys.modules[name]
            if isinstance(module, _Module) or _holds(module):
                del sys.modules[name]


def _holds(module: ModuleType) -> bool:
    """Did it import the stand-in?"""
    if getattr(module, "_stood_in", None) is not None or not name_is_ours(module):
        return False
    return any(v is Absent or isinstance(v, _Module) for v in list(vars(module).values()))


def name_is_ours(module: ModuleType) -> bool:
    return module.__name__.split(".")[0] == "harness"
