"""What was computed of a frame, kept while nothing changes the frame.

A report asks for the same labelled rows dozens of times, of the same few frames. Outside of
`remembering`, everything is computed anew: nobody knows there whether a frame was changed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Concatenate, ParamSpec, TypeAlias, TypeVar, cast

import pandas as pd

P = ParamSpec("P")
R = TypeVar("R")
# By function, frame and the other arguments: the frame and what came of it. While an entry holds
# its frame, no other frame can have that id.
Found: TypeAlias = dict[Hashable, tuple[pd.DataFrame, Any]]

_found: ContextVar[Found | None] = ContextVar("found", default=None)


@contextmanager
def remembering() -> Iterator[None]:
    """Compute nothing twice within. No frame that is given to a remembered function may change.

    Within another, it adds to what that one keeps.
    """
    before = _found.set({} if (outer := _found.get()) is None else outer)
    try:
        yield
    finally:
        _found.reset(before)


def remembered(
    compute: Callable[Concatenate[pd.DataFrame, P], R],
) -> Callable[Concatenate[pd.DataFrame, P], R]:
    """Decorator: a function of a frame and of arguments that can be hashed, kept by both.

    It returns what cannot be changed, frames, or a tuple of such. The caller has copies of the
    frames, which it may change.
    """

    @functools.wraps(compute)
    def again(frame: pd.DataFrame, /, *args: P.args, **named: P.kwargs) -> R:
        found = _found.get()
        if found is None:
            return compute(frame, *args, **named)
        key: Any = (compute, id(frame), args, tuple(sorted(named.items())))
        if key not in found:
            found[key] = frame, compute(frame, *args, **named)
        return cast("R", _own(found[key][1]))

    return again


def _own(kept: Any) -> Any:
    """The same, with frames that are the caller's alone."""
    if isinstance(kept, tuple) and not hasattr(kept, "_fields"):
        return tuple(_own(one) for one in kept)
    return kept.copy() if isinstance(kept, pd.DataFrame) else kept
