"""Errors for the person at the terminal: what happened, where, what to do.

Everything the harness raises on purpose is a HarnessError; the command line prints its message
without a traceback. Any other exception is a bug, and its traceback is shown.
"""

from __future__ import annotations


class HarnessError(Exception):
    """A failure with a message meant to be read by the user (exit code 2 at the command line)."""


class BadInput(HarnessError, ValueError):
    """Something the user gave (a file, a name, a number) cannot be used; the message says why."""


class Missing(HarnessError):
    """Something outside the harness is needed and not there: data, weights, a program."""


def another_type(what: str, found: object, wanted: str) -> BadInput:
    """The error for an argument of another type than wanted, from Python.

    >>> str(another_type("study", 5, "the name of a study"))
    'study is 5 (int): give the name of a study'
    """
    shown = repr(found)
    cut = shown if len(shown) <= 60 and "\n" not in shown else f"{shown[:50].splitlines()[0]} ..."
    return BadInput(f"{what} is {cut} ({type(found).__name__}): give {wanted}")


def what_is(value: object) -> str:
    """A value in a sentence: its type, and its shape where it has one.

    >>> what_is(None)
    'a NoneType'
    """
    shape = getattr(value, "shape", None)
    return f"a {type(value).__name__}" + ("" if shape is None else f" of shape {tuple(shape)}")


def on_one_line(error: BaseException) -> str:
    """Kind and message of an exception: `KeyError: 'heads'`. The kind alone where it has no message
    (a timeout has none), the message alone where it was written for the user."""
    kind, message = type(error).__name__, " ".join(str(error).split())
    if isinstance(error, HarnessError) and message:
        return message
    return f"{kind}: {message}" if message else kind
