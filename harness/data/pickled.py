"""Reading the pickles of CIFAR's Python version without running them.

A pickle is a small program, and to load a foreign one is to run it. The batches of CIFAR-10 and
CIFAR-100 hold no more than dictionaries, lists, numbers, texts and one array of bytes; this reader
interprets the opcodes that these need, and nothing else: no function is called, no class is looked
up, no module is imported. The three names that a pickled array mentions (its reconstruction, its
class and its dtype) are recognised as words; any other name is refused.
"""

from __future__ import annotations

import pickletools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import BadInput, on_one_line

LARGEST = 1 << 30  # bytes: CIFAR-100's train file has 155 million

RECONSTRUCT = ("numpy.core.multiarray _reconstruct", "numpy._core.multiarray _reconstruct")
NAMES = {*RECONSTRUCT, "numpy ndarray", "numpy dtype", "_codecs encode"}


@dataclass
class _Array:
    """An array that is being described: its state comes after it."""

    value: np.ndarray | None = None


@dataclass(frozen=True)
class _Dtype:
    name: str


@dataclass(frozen=True)
class _Name:
    name: str


_MARK = object()


def read(path: Path) -> Any:
    """The content of a pickle of plain values and uint8 arrays; texts are str, arrays numpy's.

    Raises BadInput for one that asks for anything else, naming it, or that is damaged.
    """
    if path.stat().st_size > LARGEST:
        raise BadInput(f"{path} is larger than any file of CIFAR")
    try:
        return _finished(_run(path.read_bytes(), path))
    except BadInput:
        raise
    except Exception as error:  # a damaged pickle fails anywhere
        raise BadInput(
            f"{path} cannot be read as a file of CIFAR's Python version ({on_one_line(error)})"
        ) from None


def _run(content: bytes, path: Path) -> Any:
    """The value that the program leaves on its stack."""
    stack: list[Any] = []
    memo: dict[Any, Any] = {}
    for opcode, argument, _ in pickletools.genops(content):
        name = opcode.name
        if name in ("PROTO", "FRAME"):
            continue
        if name == "STOP":
            return stack.pop()
        if name in _CONSTANTS:
            stack.append(_CONSTANTS[name]())
        elif name in _VALUES:
            stack.append(argument)
        elif name in ("BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            count = int(name[-1])
            stack[-count:] = [tuple(stack[-count:])]
        elif name == "TUPLE":
            items = _to_mark(stack)
            stack.append(tuple(items))
        elif name == "APPENDS":
            items = _to_mark(stack)
            stack[-1].extend(items)
        elif name == "APPEND":
            item = stack.pop()
            stack[-1].append(item)
        elif name == "SETITEMS":
            items = _to_mark(stack)
            stack[-1].update(zip(items[::2], items[1::2], strict=True))
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            stack[-1][key] = value
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            if name == "STACK_GLOBAL":
                attribute, module = stack.pop(), stack.pop()
                argument = f"{module} {attribute}"
            if argument not in NAMES:
                raise BadInput(
                    f"{path} is a pickle that asks for {argument!r}, which no file of CIFAR "
                    "does: it is not loaded"
                )
            stack.append(_Name(argument))
        elif name == "REDUCE":
            arguments, what = stack.pop(), stack.pop()
            stack.append(_called(what, arguments))
        elif name == "BUILD":
            state = stack.pop()
            if isinstance(stack[-1], _Array):
                stack[-1].value = _array(state)
            elif not isinstance(stack[-1], _Dtype):
                raise BadInput(f"{path} is a pickle of objects, which no file of CIFAR has")
        else:
            raise BadInput(f"{path} is a pickle with the instruction {name}, which is not run")
    raise ValueError("it ends before its end")


_CONSTANTS: dict[str, Any] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "MARK": lambda: _MARK,
}
_VALUES = {
    "BINSTRING",  # Python 2's str: bytes, here a text of latin-1
    "SHORT_BINSTRING",
    "BININT",
    "BININT1",
    "BININT2",
    "LONG1",
    "BINUNICODE",
    "SHORT_BINUNICODE",
    "BINBYTES",
    "SHORT_BINBYTES",
}


def _to_mark(stack: list[Any]) -> list[Any]:
    at = len(stack) - 1 - stack[::-1].index(_MARK)
    items = stack[at + 1 :]
    del stack[at:]
    return items


def _called(what: Any, arguments: tuple[Any, ...]) -> Any:
    """The description that one of NAMES makes of its arguments."""
    if not isinstance(what, _Name):
        raise ValueError(f"{what!r} is called")
    if what.name in RECONSTRUCT:
        return _Array()
    if what.name == "numpy dtype":
        return _Dtype(str(arguments[0]))
    if what.name == "_codecs encode" and arguments[1] == "latin1":  # Python 3's bytes, protocol 2
        return str(arguments[0]).encode("latin-1")
    raise ValueError(f"{what.name} is called with {len(arguments)} arguments")


def _array(state: tuple[Any, ...]) -> np.ndarray:
    """An array from (version, shape, dtype, Fortran order?, bytes)."""
    _, shape, dtype, fortran, content = state
    if not isinstance(dtype, _Dtype) or dtype.name != "u1":
        raise ValueError(f"an array of {getattr(dtype, 'name', dtype)!r}, not of bytes")
    raw = content.encode("latin-1") if isinstance(content, str) else bytes(content)
    return np.frombuffer(raw, np.uint8).reshape(shape, order="F" if fortran else "C")


def _finished(value: Any) -> Any:
    """The value with arrays in the place of their descriptions."""
    if isinstance(value, _Array):
        if value.value is None:
            raise ValueError("an array without content")
        return value.value
    if isinstance(value, (_Name, _Dtype)):
        raise ValueError(f"{value.name} by itself")
    if isinstance(value, dict):
        return {key: _finished(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_finished(each) for each in value)
    return value
