"""Where components are: one lookup for ours, for installed packages' and for a study's own files.

(kind, name) -> the component's class. Three sources:

- the built-in tables, one beside each contract: name -> "module:Class", imported when asked for;
- the entry-point group `harness.components` of installed packages. An entry point's value is a
  class, or a module whose component classes are all taken;
- files that a study lists under `components:` (`files.load`).

Two of one name are an error that names both places. Nothing here imports torch.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import sys
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from types import ModuleType
from typing import Any

from harness.components import at_work, promises, standin
from harness.components.base import Component
from harness.components.descriptions import described
from harness.errors import BadInput, another_type, on_one_line
from harness.nearest import did_you_mean

GROUP = "harness.components"
BUILT_IN = "built in"  # where ours are

# kind -> (the module of its contract, the contract). Each has a table BUILT_IN.
KINDS: dict[str, tuple[str, str]] = {
    "family": ("harness.components.family", "Family"),
    "objective": ("harness.components.objective", "Objective"),
    "sampler": ("harness.components.sampler", "Sampler"),
    "source": ("harness.components.source", "Source"),
    "autoencoder": ("harness.components.autoencoder", "Autoencoder"),
    "extractor": ("harness.components.extractor", "Extractor"),
    "metric": ("harness.components.metric", "Metric"),
    "optimizer": ("harness.components.optimizer", "Optimizer"),
    "schedule": ("harness.components.schedule", "Schedule"),
    "executor": ("harness.components.executor", "Executor"),
    "section": ("harness.components.section", "Section"),
    "tracker": ("harness.components.tracker", "Tracker"),
}
WORDS = {"source": "data source", "section": "report section"}  # in sentences, where they differ


class UnknownComponent(BadInput):
    """A name that no source brings; the message lists those of its kind, and the nearest."""

    def __init__(self, kind: str, name: str) -> None:
        self.known = names(kind)
        self.hint = did_you_mean(str(name), self.known)
        super().__init__(
            f"unknown {word(kind)} {name!r}{self.hint}; there are: {', '.join(self.known)}"
        )


@dataclass(frozen=True)
class Entry:
    """One component that can be had: `where` says, in words, who brings it."""

    kind: str
    name: str
    where: str  # "built in", "package NAME VERSION", "file PATH"
    target: str | type[Component]  # "module:Class", or the class
    sha256: str | None = None  # of the file it came from
    package: str | None = None  # the distribution it came from, with its version

    def load(self) -> type[Component]:
        """The class. Raises BadInput when its module cannot be imported or breaks the contract."""
        if isinstance(self.target, type):
            return self.target
        module, _, attribute = self.target.partition(":")
        try:
            found = getattr(importlib.import_module(module), attribute)
        except (Exception, SystemExit) as error:
            if self.where == BUILT_IN:
                raise
            raise BadInput(
                f"the {word(self.kind)} {self.name!r} of {self.where} cannot be imported: "
                f"{_why(error)}"
            ) from error
        return found if self.where == BUILT_IN else check_class(found, self.where)


_files: dict[tuple[str, str], Entry] = {}  # of the studies' files loaded in this process


def word(kind: str) -> str:
    """The kind as a sentence says it."""
    return WORDS.get(kind, kind)


def contract(kind: str) -> type[Component]:
    """The base class of a kind. Raises BadInput for a kind that does not exist."""
    if not isinstance(kind, str):
        raise another_type("the kind of component", kind, f"one of {', '.join(KINDS)}")
    kind = kind.removeprefix("data ").removeprefix("data-").removeprefix("report ")
    if kind not in KINDS:
        near = did_you_mean(kind, KINDS)
        raise BadInput(f"no kind of component {kind!r}{near}; there are {', '.join(KINDS)}")
    module, name = KINDS[kind]
    return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]


@cache
def _built_in(kind: str) -> dict[str, Entry]:
    base = contract(kind)
    table: dict[str, str] = importlib.import_module(base.__module__).BUILT_IN
    return {name: Entry(kind, name, BUILT_IN, target) for name, target in table.items()}


def _installed() -> dict[tuple[str, str], Entry]:
    """The components of installed packages' entry points. The first call scans the path.

    Until torch is loaded, what imports it at its top is read with a stand-in in its place.
    """
    found, stood_in = _read_installed(True)
    if stood_in and "torch" in sys.modules:
        found, _ = _read_installed(False)
    return found


@cache
def _read_installed(first: bool) -> tuple[dict[tuple[str, str], Entry], bool]:
    """Name to entry, and whether any was read with a stand-in. first: it may have been."""
    found: dict[tuple[str, str], Entry] = {}
    all_found: list[Entry] = []
    any_stood_in = False
    for point in metadata.entry_points(group=GROUP):
        package = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
        where = f"package {package}"
        try:
            classes, stood_in = standin.read(lambda point=point: _classes(point))  # type: ignore[misc]
        except (Exception, SystemExit) as error:
            raise BadInput(
                f"{where}: its entry point {point.name} = {point.value} (group {GROUP}) cannot be "
                f"imported: {_why(error)}; mend the package or uninstall it"
            ) from error
        any_stood_in |= stood_in
        for cls in classes:
            all_found.append(entry_of(cls, where, package=package))
            _add(found, all_found[-1])
    for brings in {each.package for each in all_found}:
        check_no_name_twice(each for each in all_found if each.package == brings)
    return found, any_stood_in


def _why(error: BaseException) -> str:
    """The exception of a package's import, with its last line outside of Python's own loader."""
    said = on_one_line(error)
    loaders = (importlib.__file__, metadata.__file__, __file__, standin.__file__)
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename not in loaders and not frame.filename.startswith("<frozen")
    ]
    return f"{said} ({frames[-1].filename}:{frames[-1].lineno})" if frames else said


def _classes(point: metadata.EntryPoint) -> list[type[Component]]:
    """The component behind an entry point, with its description where its source can be found."""
    loaded = point.load()
    classes = classes_of(loaded) if isinstance(loaded, ModuleType) else [loaded]
    return [described(c) if inspect.isclass(c) and issubclass(c, Component) else c for c in classes]


def entry_of(
    cls: type[Component], where: str, sha256: str | None = None, package: str | None = None
) -> Entry:
    """A stranger's class as an entry. Raises BadInput when it is no component, or lacks what its
    contract asks for; what is asked of it later is held to that (harness.components.promises, and
    at_work)."""
    cls = check_class(cls, where)
    who = f"the {word(cls.kind)} {cls.name!r} of {where}"
    if wrong := list(promises.broken(cls)):
        raise BadInput(f"{who} breaks its contract: {'; '.join(wrong)}")
    promises.held(cls, who)
    at_work.held(cls, who)
    return Entry(cls.kind, cls.name, where, cls, sha256, package)


def classes_of(module: ModuleType) -> list[type[Component]]:
    """The component classes that a module defines, in the order of their definition."""
    return [
        value
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, Component)
        and value.__module__ == module.__name__
        and isinstance(value.__dict__.get("name"), str)
    ]


def check_class(cls: object, where: str) -> type[Component]:
    """`cls` when it keeps the laws that can be seen without running it; otherwise BadInput."""
    if not (inspect.isclass(cls) and issubclass(cls, Component)):
        raise BadInput(f"{where}: {cls!r} is not a class derived from a contract of {GROUP}")
    if getattr(cls, "kind", None) not in KINDS:
        raise BadInput(f"{where}: {cls.__name__} has no kind: derive it from a contract of {GROUP}")
    if not isinstance(getattr(cls, "name", None), str) or not cls.name.strip():
        raise BadInput(f"{where}: {cls.__name__} has no name: what should a study write?")
    if not isinstance(cls.version, int) or isinstance(cls.version, bool) or cls.version < 1:
        raise BadInput(f"{where}: {cls.name}'s version is {cls.version!r}, not a whole number >= 1")
    bare = [f for f, about in described(cls).model_fields.items() if not about.description]
    if bare:
        raise BadInput(
            f"{where}: of {cls.name}, the settings {', '.join(bare)} have no description: write a "
            "docstring below each field"
        )
    if cls.__abstractmethods__:
        lacking = ", ".join(sorted(cls.__abstractmethods__))
        raise BadInput(f"{where}: the {word(cls.kind)} {cls.name} lacks {lacking}")
    return cls


def _add(table: dict[tuple[str, str], Entry], entry: Entry) -> None:
    at = (entry.kind, entry.name)
    other = table.get(at) or _built_in(entry.kind).get(entry.name)
    if other is not None and (other.where, other.sha256) != (entry.where, entry.sha256):
        raise BadInput(
            f"two components of kind {word(entry.kind)} are called {entry.name!r}: {other.where} "
            f"and {entry.where}; rename one of them"
        )
    _refuse_taken(entry, table)
    table[at] = entry


def _refuse_taken(entry: Entry, table: dict[tuple[str, str], Entry]) -> None:
    """Raise BadInput where what a component is called besides is another's; of most kinds, nothing
    is."""
    own = entry.load().taken()
    if own == (entry.name,) and "taken" not in vars(contract(entry.kind)):
        return
    brought = {name: each for (kind, name), each in table.items() if kind == entry.kind}
    for each in {**_built_in(entry.kind), **brought}.values():
        both = [name for name in own if name in each.load().taken()]
        if both and each.name != entry.name:
            raise BadInput(
                f"two components of kind {word(entry.kind)} are called {both[0]!r}: "
                f"{each.name!r} ({each.where}) and {entry.name!r} ({entry.where}); rename one"
            )


def check_no_name_twice(found: Iterable[Entry]) -> None:
    """Raise BadInput where two classes of one file or package are called alike."""
    seen: dict[tuple[str, str], Entry] = {}
    for each in found:
        other = seen.setdefault((each.kind, each.name), each)
        if other.target is not each.target:
            raise BadInput(
                f"{each.where}: two components of kind {word(each.kind)} are called {each.name!r}: "
                f"{_place(other.target)} and {_place(each.target)}; rename one of them"
            )


def _place(target: str | type[Component]) -> str:
    """A class with its module, and the line where it is known."""
    if isinstance(target, str):
        return target
    line = ""
    with contextlib.suppress(OSError, TypeError):
        line = f" (line {inspect.getsourcelines(target)[1]})"
    return f"{target.__module__}.{target.__qualname__}{line}"


def add_file_entries(entries: list[Entry]) -> None:
    """Make a study's own components known in this process (see harness.components.files)."""
    for entry in entries:
        _add(_installed().copy(), entry)  # what packages bring clashes too
        _add(_files, entry)


def forget_files() -> None:
    """Drop what studies' files brought: another study may bring other files of the same names."""
    _files.clear()


def entries(kind: str | None = None) -> Iterator[Entry]:
    """Every component that can be had here: ours, then installed, then the study's own."""
    for each in KINDS if kind is None else [contract(kind).kind]:
        yield from _built_in(each).values()
        yield from (e for (k, _), e in {**_installed(), **_files}.items() if k == each)


def names(kind: str) -> tuple[str, ...]:
    """The names of one kind, ours first."""
    return tuple(entry.name for entry in entries(kind))


def entry(kind: str, name: str) -> Entry:
    """Where a component is. Raises UnknownComponent, which names the nearest and all others."""
    kind = contract(kind).kind
    found = _built_in(kind).get(name) or _files.get((kind, name)) or _installed().get((kind, name))
    if found is None:
        raise UnknownComponent(kind, name)
    return found


def get(kind: str, name: str) -> type[Component]:
    """The class of a component. Raises UnknownComponent; BadInput if it cannot be loaded."""
    return entry(kind, name).load()


def origins(named: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Who brings components, given as "kind:name": {"from", "version", "sha256" (of a file)}.

    Ours are left out.
    """
    found: dict[str, dict[str, Any]] = {}
    for at in named:
        kind, _, name = at.partition(":")
        its = entry(kind, name)
        if its.where == BUILT_IN:
            continue
        found[at] = {"from": its.where, "version": its.load().version}
        if its.sha256 is not None:
            found[at]["sha256"] = its.sha256
    return found
