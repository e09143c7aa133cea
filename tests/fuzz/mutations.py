"""Seeded damage to studies and files: what editors, copies, other tools and people do to them."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

import yaml

# Where a number, a name, a list or a mapping is meant, somebody has written each of these.
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 3, 7, 2**31, 2**63 - 1, 2**63, -(2**63), 10**40),
    *(0.0, -0.0, 0.5, 1e-4, 1e-320, 1e308, -1e308, float("nan"), float("inf"), -float("inf")),
    *("", " ", "~", "null", "yes", "on", "0x10", "0400", "1:30:00", "1e5", "1_000", "12 GB", "3."),
    *("é", "学習", "🙂", "a\u0301", "\u202e", "\ufeff", "x" * 300, "a\nb", "a\tb", "{}", "[", "%s"),
    *("/dev/null", "/dev/zero", "../../etc/passwd", "~", "con", "a/b", "*", "<<", "&a", "!!int 3"),
    *([], {}, [[]], [None], [1, 2, 3], [1, 1], ["S"], [{}], {"a": {"b": {"c": 1}}}, {"": 1}),
    *({1: 2}, {True: 1}, {None: 1}, {"scale": 1.5}, [[[[[1]]]]], list(range(300))),
)
TEXTS = (
    *("\t", "\r", "\x00", "\x1b", "\u2028", "\u00a0", "é", "🙂", "\ufeff", '"', "'", "{", "}", "["),
    *("]", ":", ": ", "- ", "#", "&a ", "*a", "<<: *a", "!!python/object:os.system ", "!!binary "),
    *(
        "|",
        ">",
        "? ",
        "%YAML 9.9\n",
        "---\n",
        "...\n",
        "@",
        "`",
        "  ",
        "\n",
        "!!timestamp ",
        "=",
        "~",
    ),
)


def nodes(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value below `tree`."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in items:
        yield (*path, key)
        if isinstance(value, (dict, list)):
            yield from nodes(value, (*path, key))


def _at(tree: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        tree = tree[part]
    return tree


def _replace(tree: Any, chance: random.Random) -> None:
    *parents, last = chance.choice(list(nodes(tree)))
    _at(tree, tuple(parents))[last] = copy.deepcopy(chance.choice(VALUES))


def _remove(tree: Any, chance: random.Random) -> None:
    *parents, last = chance.choice(list(nodes(tree)))
    del _at(tree, tuple(parents))[last]


def _add(tree: Any, chance: random.Random) -> None:
    paths = [(), *nodes(tree)]
    places = [at for p in paths if isinstance(at := _at(tree, p), dict)]
    place = chance.choice(places)
    keys = [str(p[-1]) for p in paths if p] + ["stepz", "ünï", "", "a.b", "matrix", "path", "seed"]
    place[chance.choice(keys)] = copy.deepcopy(chance.choice(VALUES))


def _move(tree: Any, chance: random.Random) -> None:
    """A part copied to where another part was: other types, deeper nesting, repeated names."""
    paths = list(nodes(tree))
    part = copy.deepcopy(_at(tree, chance.choice(paths)))
    *parents, last = chance.choice(paths)
    _at(tree, tuple(parents))[last] = part


def _wrap(tree: Any, chance: random.Random) -> None:
    *parents, last = chance.choice(list(nodes(tree)))
    place = _at(tree, tuple(parents))
    for _ in range(chance.choice((1, 1, 2, 45))):
        place[last] = chance.choice(([place[last]], {"a": place[last]}))


def _as_text(tree: Any, chance: random.Random) -> None:
    """A number quoted."""
    found = [p for p in nodes(tree) if isinstance(_at(tree, p), (int, float))]
    if found:
        *parents, last = chance.choice(found)
        place = _at(tree, tuple(parents))
        place[last] = str(place[last])


TREE: tuple[Callable[[Any, random.Random], None], ...] = (
    *(_replace,) * 4,
    *(_remove, _add, _move, _wrap, _as_text),
)


def study(text: str, chance: random.Random) -> bytes:
    """A study, damaged: half of them as data (types, nesting, names), half as text."""
    if chance.random() < 0.55:
        tree = yaml.safe_load(text)
        for _ in range(chance.choice((1, 1, 2, 4))):
            if tree:
                chance.choice(TREE)(tree, chance)
        text = yaml.safe_dump(tree, sort_keys=False, allow_unicode=chance.random() < 0.5)
        if chance.random() < 0.8:
            return text.encode()
    lines = text.split("\n")
    for _ in range(chance.choice((1, 1, 2, 5))):
        i = chance.randrange(len(lines))
        line, at = lines[i], chance.randrange(len(lines[i]) + 1)
        what = chance.randrange(9)
        if what == 0:
            lines[i] = line[:at] + chance.choice(TEXTS) + line[at:]
        elif what == 1:
            lines[i] = line[:at] + line[at + 1 :]
        elif what == 2:
            lines.insert(i, line)  # a field given twice
        elif what == 3:
            lines[i] = chance.choice((" ", "  ", "\t", "      ")) + line
        elif what == 4:
            lines[i] = line.lstrip()
        elif what == 5:
            lines[i] = line.replace(
                ": ", chance.choice((":", ": &a ", ": *a ", ": !!str ", ": |")), 1
            )
        elif what == 6 and ":" in line:
            value = chance.choice(VALUES)
            lines[i] = line.partition(":")[0] + f": {value}"
        elif what == 7:
            j = chance.randrange(len(lines))
            lines[i], lines[j] = lines[j], line
        else:
            lines[i] = line + chance.choice(TEXTS)
    content = "\n".join(lines).encode()
    if chance.random() < 0.08:
        return blob(content, chance)
    return content


def blob(content: bytes, chance: random.Random) -> bytes:
    """Bytes as a broken copy leaves them: cut, flipped, zeroed, repeated, foreign."""
    if not content:
        return b"\0"
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 3))):
        if not data:
            break
        # headers are where formats break: half of the damage is near the beginning or the end
        near = min(len(data), 400)
        at = chance.choice(
            (
                chance.randrange(len(data)),
                chance.randrange(near),
                len(data) - 1 - chance.randrange(near),
            )
        )
        what = chance.randrange(8)
        size = chance.choice((1, 2, 4, 8, 64, 600))
        if what == 0:
            data[at] ^= 1 << chance.randrange(8)
        elif what == 1:
            data[at : at + size] = chance.randbytes(min(size, len(data) - at))
        elif what == 2:
            data[at : at + size] = bytes(min(size, len(data) - at))
        elif what == 3:
            del data[at:]
        elif what == 4:
            del data[at : at + size]
        elif what == 5:
            data[at:at] = data[at : at + size]
        elif what == 6:
            data[at : at + size] = b"\xff" * min(size, len(data) - at)
        else:
            data += chance.randbytes(size)
    if chance.random() < 0.05:
        return chance.choice(
            (b"", b"\0" * 64, b"PK\x03\x04", b"\x1f\x8b\x08", b"<html>", b"\x80\x02.")
        )
    return bytes(data)
