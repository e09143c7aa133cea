"""A study as YAML text in which every setting carries what it means, in the schema's words."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping
from typing import Any

import yaml

from harness.commands.explain import settings_of
from harness.errors import BadInput

WIDTH = 100


def dump(study: Mapping[str, Any]) -> str:
    """The study's text. A setting's meaning stands where it first appears, and not again."""
    lines: list[str] = []
    _mapping(study, (), lines, set())
    return "\n".join(lines) + "\n"


def _mapping(
    content: Mapping[str, Any], path: tuple[str, ...], lines: list[str], said: set[str]
) -> None:
    indent = "  " * len(path)
    for key, value in content.items():
        here = (*path, str(key))
        about = _about(here, said)
        if isinstance(value, Mapping) and value and not _short(key, value, indent, here):
            if not path:
                lines.append("")
            lines += _above(about, indent)
            lines.append(f"{indent}{_scalar(key)}:")
            _mapping(value, here, lines, said)
            continue
        line = f"{indent}{_scalar(key)}: {in_a_line(value)}"
        if about and len(line) + len(about) + 3 <= WIDTH:
            line += f" # {about}"
        else:
            lines += _above(about, indent)
        margin = indent + "  "
        if len(line) > WIDTH and isinstance(value, str):
            lines.append(f"{indent}{_scalar(key)}: >-")
            lines += _wrapped(value, margin)
        elif len(line) > WIDTH and isinstance(value, (list, tuple)):
            lines.append(f"{indent}{_scalar(key)}:")
            lines += [f"{margin}- {in_a_line(item)}" for item in value]
        else:
            lines.append(line)


def _about(path: tuple[str, ...], said: set[str]) -> str:
    """The first sentence of what the setting at `path` means; "" if it was said before."""
    if path[:2] == ("matrix", "axes"):
        return ""
    try:
        setting = settings_of(".".join(path))[0]
    except BadInput:
        return ""
    first = setting.about.partition(". ")[0].rstrip(".")
    if setting.path.endswith(".NAME") or first in said:
        return ""
    said.add(first)
    return first


def _above(about: str, indent: str) -> list[str]:
    return _wrapped(about, f"{indent}# ")


def _wrapped(text: str, margin: str) -> list[str]:
    """Lines that YAML folds back to the same text: broken at single spaces only."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=margin,
        subsequent_indent=margin,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _short(key: Any, value: Mapping[str, Any], indent: str, path: tuple[str, ...]) -> bool:
    """May a mapping stand on one line? Those whose settings nobody needs explained."""
    flat = not any(isinstance(v, Mapping) for v in value.values())
    return (
        flat and len(path) > 1 and key != "axes" and len(f"{indent}{key}: {in_a_line(value)}") <= 80
    )


def in_a_line(value: Any, within: bool = False) -> str:
    """A value on one line, as YAML, numbers as a person writes them.

    within: braces or brackets, where a comma in a text ends it.
    """
    if isinstance(value, Mapping):
        pairs = (f"{_scalar(k, True)}: {in_a_line(v, True)}" for k, v in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(in_a_line(v, True) for v in value)}]"
    return _scalar(value, within)


def _scalar(value: Any, within: bool = False) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, int) and value >= 10_000:
        return f"{value:_}"
    if isinstance(value, float):
        short = f"{value:.1e}"
        return short if abs(value) < 1e-3 and float(short) == value else repr(value)
    dumped = [value] if within else value
    text = yaml.safe_dump(dumped, default_flow_style=True, width=10**6, allow_unicode=True)
    text = text.strip().removesuffix("...").strip()
    text = text[1:-1] if within else text
    if text == value and re.match(r"[-+.\d]", text):
        return json.dumps(value)  # "1e3" is text to YAML 1.1 and a number to a study
    return text
