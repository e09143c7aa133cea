"""The meaning of settings: the text below a field of a component or section, read when asked for.

Pydantic can read these texts as a class is made (use_attribute_docstrings), which parses the source
of every class whenever anything starts. Here it is done for whoever shows them: errors, `schema`,
`explain`, `components` and the conformance suite.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import textwrap
from typing import Any, TypeVar

from pydantic import BaseModel

M = TypeVar("M", bound=BaseModel)
_known: set[type[BaseModel]] = set()


def described(cls: type[M]) -> type[M]:
    """The class, whose fields have their descriptions now.

    A field inherits its text with its annotation; `Field(description=...)` comes first. Fields of a
    class without source have none.
    """
    if cls not in _known:
        texts: dict[str, str] = {}
        for base in reversed(cls.__mro__):
            if issubclass(base, BaseModel) and base is not BaseModel:
                own = _texts(base)
                again = inspect.get_annotations(base).keys() - own.keys()
                texts = {**{k: v for k, v in texts.items() if k not in again}, **own}
        for name, field in cls.model_fields.items():
            if field.description is None:
                field.description = texts.get(name)
        _known.add(cls)
    return cls


def json_schema(cls: type[BaseModel]) -> dict[str, Any]:
    """`model_json_schema` with the descriptions, those of sections inside included."""
    whole = cls.model_json_schema()
    inside = {each.__name__: each for each in _inside(cls)}
    for name, part in {cls.__name__: whole, **whole.get("$defs", {})}.items():
        fields = described(inside[name]).model_fields if name in inside else {}
        for field, about in part.get("properties", {}).items():
            if field in fields and fields[field].description is not None:
                about.setdefault("description", fields[field].description)
    return whole


def _inside(cls: type[BaseModel]) -> set[type[BaseModel]]:
    """The class and every model that its fields' annotations name."""
    found: set[type[BaseModel]] = set()
    waiting: list[Any] = [cls]
    while waiting:
        part = waiting.pop()
        waiting += getattr(part, "__args__", ())
        if isinstance(part, type) and issubclass(part, BaseModel) and part not in found:
            found.add(part)
            waiting += [field.annotation for field in part.model_fields.values()]
    return found


def _texts(cls: type[BaseModel]) -> dict[str, str]:
    """Field -> the text below it, of the class's own fields."""
    try:
        (parsed,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    except (OSError, TypeError, SyntaxError, ValueError):
        return {}
    found: dict[str, str] = {}
    body = parsed.body if isinstance(parsed, ast.ClassDef) else []
    for field, below in itertools.pairwise(body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
            and isinstance(below.value.value, str)
        ):
            found[field.target.id] = inspect.cleandoc(below.value.value)
    return found
