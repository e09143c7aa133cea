"""A stand-in for torch, while what imports it at its top is read for planning.

Planning asks a component's light half, which needs no torch, and torch takes seconds to import. So
a component's module is read with a stand-in in torch's place: something to derive classes from, to
decorate functions with, to name in annotations, to look up in a table. Each name of torch is one
object of its own. It has no value: whatever looks at one (a sum, a comparison with another, text, a
condition, a loop) raises `NeedsTorch`, and what a call gave may not be kept. So a module that does
real work with torch as it is imported is read with torch itself, and nothing that is planned can
come from a stand-in.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any, NoReturn, TypeVar

PACKAGES = ("torch", "torchvision")
T = TypeVar("T")


class NeedsTorch(TypeError):
    """A value of torch was wanted where a stand-in was."""


def _no_value(*_: Any) -> NoReturn:
    raise NeedsTorch("its light half uses torch: what planning asks must do without")


VALUES = (
    "bool int float complex index len iter next contains reversed enter exit getitem setitem "
    "delitem add radd sub rsub mul rmul matmul rmatmul truediv rtruediv floordiv rfloordiv mod "
    "rmod pow rpow and rand xor rxor lshift rshift neg pos abs invert round lt le gt ge format"
)


def _valueless(namespace: dict[str, Any]) -> dict[str, Any]:
    """A class's namespace in which every operator that needs a value raises."""
    return {**{f"__{name}__": _no_value for name in VALUES.split()}, **namespace}


# Names of one and the same thing: a table by both has one entry of it.
ALIASES = {
    "torch.half": "torch.float16", "torch.float": "torch.float32", "torch.double": "torch.float64",
    "torch.short": "torch.int16", "torch.int": "torch.int32", "torch.long": "torch.int64",
    "torch.chalf": "torch.complex32", "torch.cfloat": "torch.complex64",
    "torch.cdouble": "torch.complex128",
}  # fmt: skip
_named: dict[str, Any] = {}


def _stand_in(name: str) -> Any:
    """The one stand-in of a dotted name, as "torch.float32"."""
    name = ALIASES.get(name, name)
    if name not in _named:
        _named[name] = _Meta(name.rpartition(".")[2], (Absent,), {"_stands_for": name})
    return _named[name]


def _is_standin(value: Any) -> bool:
    """Is it a stand-in itself, and no class that was derived from one?"""
    if isinstance(value, _Meta):
        return value is Absent or "_stands_for" in vars(value)
    return _was_made(value)


def _was_made(value: Any) -> bool:
    """Is it what a call of a stand-in gave, or what was taken of that?"""
    return type(value) is Absent


def _of(owner: Any, name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    if isinstance(owner, ModuleType):
        return _stand_in(f"{owner.__name__}.{name}")
    if isinstance(owner, _Meta):
        return _stand_in(f"{vars(owner).get('_stands_for', vars(owner)['__module__'])}.{name}")
    return _some_value()


def _equal(one: Any, other: Any) -> Any:
    """One and the same is equal; of two, torch alone knows."""
    if one is other:
        return True
    return _no_value() if _is_standin(one) or _is_standin(other) else NotImplemented


def _unequal(one: Any, other: Any) -> Any:
    same = _equal(one, other)
    return same if same is NotImplemented else not same


def _text(one: Any) -> str:
    if _is_standin(one):
        _no_value()
    return type.__repr__(one) if isinstance(one, type) else object.__repr__(one)


def _has_instance(one: Any, value: Any) -> bool:
    return _no_value() if _is_standin(one) else type.__instancecheck__(one, value)


def _has_subclass(one: Any, value: Any) -> bool:
    return _no_value() if _is_standin(one) else type.__subclasscheck__(one, value)


def _decorated(_: Any, *arguments: Any, **__: Any) -> Any:
    """Called as a decorator it gives back what it decorates."""
    return arguments[0] if arguments and callable(arguments[0]) else _some_value()


def _some_value() -> Any:
    """What a call gave, or an attribute of that."""
    return object.__new__(Absent)


def _called(one: Any, *arguments: Any, **named: Any) -> Any:
    """A stand-in decorates or gives a value; a class that is derived from one gives an object."""
    call = _decorated if _is_standin(one) else type.__call__
    return call(one, *arguments, **named)


_COMPARED = {"__eq__": _equal, "__ne__": _unequal, "__str__": _text}
_Meta = type(
    "_Meta",
    (type,),
    _valueless(
        {
            "__getattr__": _of,
            "__call__": _called,
            "__hash__": type.__hash__,
            "__instancecheck__": _has_instance,
            "__subclasscheck__": _has_subclass,
            **_COMPARED,
        }
    ),
)


def _made(_: Any, *__: Any, **___: Any) -> None:
    """Any class can be derived from it, with any arguments."""


Absent: Any = _Meta(
    "Absent",
    (),
    _valueless(
        {
            "__doc__": "A class, function or value of a package that is not loaded.",
            "__init__": _made,
            "__init_subclass__": classmethod(_made),
            "__getattr__": _of,
            "__call__": _decorated,
            "__hash__": object.__hash__,
            **_COMPARED,
        }
    ),
)


class _Module(ModuleType):
    __path__: list[str] = []  # noqa: RUF012  (so that its submodules can be imported)

    def __getattr__(self, name: str) -> Any:
        return _of(self, name)


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    asked = False  # has anybody imported it?

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname.split(".")[0] in PACKAGES:
            self.asked = True
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _Module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run."""


def read(read_it: Callable[[], T]) -> tuple[T, bool]:
    """The result of `read_it`, which imports modules; and whether the stand-in took torch's place.

    With torch loaded already it is read with that. Else it is read with the stand-in; and where
    somebody asked for torch and anything was raised, again with torch, whose word is the last.
    """
    if "torch" in sys.modules:
        return read_it(), False
    with standing_in() as took:
        before = set(sys.modules)
        try:
            found = read_it()
            if took():
                check_nothing_is_kept(set(sys.modules) - before)
            return found, took()
        except Exception:
            if not took():
                raise
    import torch  # noqa: F401

    return read_it(), False


def or_with_torch(make: Callable[[], T]) -> T:
    """`make()`; with torch loaded, and so its components read anew, where their light half asks
    for a value of torch."""
    try:
        return make()
    except NeedsTorch:
        import torch  # noqa: F401

        return make()


@contextmanager
def standing_in() -> Iterator[Callable[[], bool]]:
    """While it lasts importing torch gives a stand-in; what is given says whether anybody did.

    Modules that took hold of it, and those that took hold of these, are forgotten afterwards, so
    that they are imported anew, with torch, when somebody needs them.
    """
    before, finder = set(sys.modules), _Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield lambda: finder.asked
    finally:
        sys.meta_path.remove(finder)
        if finder.asked:
            _forget(set(sys.modules) - before)


def check_nothing_is_kept(new: set[str]) -> None:
    """Raise NeedsTorch where a module, or a class of its own, keeps what a call of torch gave, or a
    setting's default is of torch: it would be a value that is no value."""
    for name in new:
        module = sys.modules.get(name)
        if module is None or isinstance(module, _Module):
            continue
        # A network may keep what it likes: nothing that is planned asks it.
        own = [v for v in list(vars(module).values())
               if isinstance(v, type) and not isinstance(v, _Meta)
               and v.__module__ == name]  # fmt: skip
        for place in (module, *own):
            if any(_was_made(v) for each in list(vars(place).values()) for v in _within(each)):
                _no_value()
        for one in own:
            fields = vars(one).get("__pydantic_fields__") or {}
            if any(_is_standin(v) for field in fields.values() for v in _within(field.default)):
                _no_value()


def _within(value: Any) -> list[Any]:
    """A value, or those that a collection holds."""
    if isinstance(value, dict):
        return [*value, *value.values()]
    return list(value) if isinstance(value, (list, tuple, set, frozenset)) else [value]


def _forget(new: set[str]) -> None:
    """Drop, of newly imported modules, stand-ins and what was made of them."""
    modules = {name: sys.modules[name] for name in new}
    tainted: set[str] = set()
    while True:
        more = {n for n, m in modules.items() if n not in tainted and _holds(m, tainted)}
        if not more:
            break
        tainted |= more
    for name in tainted:
        module = sys.modules.pop(name)
        parent, _, own = name.rpartition(".")
        if parent in sys.modules and vars(sys.modules[parent]).get(own) is module:
            delattr(sys.modules[parent], own)


def _holds(module: ModuleType, tainted: set[str]) -> bool:
    """Is it a stand-in, or does it hold one, or something of a module that does?"""
    if isinstance(module, _Module):
        return True
    for value in list(vars(module).values()):
        if any(_is_of(each, tainted) for each in _within(value)):
            return True
    return False


def _is_of(value: Any, tainted: set[str]) -> bool:
    """Is it a stand-in, or does it come from one of these modules?"""
    if isinstance(value, ModuleType):
        return isinstance(value, _Module) or value.__name__ in tainted
    if isinstance(value, _Meta) or isinstance(type(value), _Meta):
        return True
    its = getattr(value if callable(value) else type(value), "__module__", None)
    return isinstance(its, str) and its in tainted
