"""Reading YAML with the place of every value kept, so that an error can point at its line.

`Source` is a plain tree of values beside a map from path to `Line` (file and line, or the
--set that gave it). Merging keeps the places of whichever side a value came from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from harness.errors import BadInput
from harness.nearest import did_you_mean
from harness.spec import scalars
from harness.spec.fields import component_fields

MAX_BYTES = 4_000_000
MAX_DEPTH = 40
SAFE_LENGTH = 4_000  # characters, which cannot nest deeper than the parser can
MAX_NODES = 400_000  # after aliases are expanded: a "YAML bomb" stops here

PLAIN_TAGS = {
    f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq", "str", "int", "float", "bool", "null")
}
OPTION = "--set "
MERGE = "tag:yaml.org,2002:merge"

Path_ = tuple[Any, ...]


@dataclass(frozen=True)
class Line:
    """Where a value was written."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line is not None else self.file


@dataclass(frozen=True)
class Source:
    """Plain data and the place of each path in it."""

    data: dict[str, Any]
    places: dict[Path_, Line]

    def place(self, path: Path_) -> Line:
        """The place of `path`, or of its nearest written parent."""
        while path not in self.places and path:
            path = path[:-1]
        return self.places[path]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The safe loader, with the numbers and booleans of harness.spec.scalars alone."""


TAG = "tag:yaml.org,2002:"
_Loader.yaml_implicit_resolvers = {"<": [(MERGE, re.compile("^<<$"))]}
for _kind, _pattern in scalars.PATTERNS.items():
    _Loader.add_implicit_resolver(TAG + _kind, _pattern, scalars.FIRST[_kind])


def read(path: str | Path) -> Source:
    """Read a study file. Errors: BadInput for a file that is missing, unreadable, not YAML, not a
    mapping, with repeated fields, or larger than a study can be."""
    path = Path(path)
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file{_beside(path)}") from None
    except IsADirectoryError:
        held = sorted(p.name for p in path.glob("*.y*ml"))
        listed = f"; it holds {', '.join(held[:8])}" + (", ..." if len(held) > 8 else "")
        raise BadInput(
            f"{path}: it is a folder, and a study is a YAML file{listed if held else ''}"
        ) from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}") from None
    if len(raw) > MAX_BYTES:
        raise BadInput(f"{path}: {len(raw):,} bytes; a study has at most {MAX_BYTES:,}")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        wide = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
        what = "UTF-16 or UTF-32 text" if wide else f"not UTF-8 text (byte {error.start})"
        raise BadInput(f"{path}: {what}: save it as UTF-8") from None
    return parse(text, str(path))


def _beside(path: Path) -> str:
    """The study in the same folder whose name is nearest, as a question."""
    try:
        beside = [p.name for p in path.parent.iterdir() if p.suffix in (".yaml", ".yml")]
    except OSError:
        return ""
    return did_you_mean(path.name, beside, 0.7)


def parse(text: str, file: str) -> Source:
    """The tree of one YAML document. Errors: BadInput, as for `read`."""
    _check_characters(text, file)
    _check_depth(text, file)
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            raise BadInput(f"{file}: the file is empty")
        places: dict[Path_, Line] = {}
        problems: list[str] = []
        counter = [0]
        data = _build(loader, node, (), file, places, counter, problems)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = error.problem or error.context or ""
        line = "".join(text.splitlines()[mark.line : mark.line + 1]) if mark else ""
        what = _PLAIN.get(what, what)
        if "tab character" in what or "\t" in line[: len(line) - len(line.lstrip())]:
            what = "there is a tab: indent with spaces"
        at = mark.line if mark else 0
        lines = text.splitlines()
        for earlier in range(at, max(at - 2, -1), -1):  # what it spoils may be found a line later
            if mark and earlier < len(lines) and (odd := ODD_SPACE.search(lines[earlier])):
                at, what = earlier, odd_space(odd[0])
        where = Line(file, at + 1 if mark and not file.startswith(OPTION) else None)
        raise BadInput(f"{where}: not valid YAML: {what}") from None
    except RecursionError:
        raise BadInput(f"{file}: not valid YAML: an alias stands within what it names") from None
    except yaml.YAMLError as error:
        raise BadInput(f"{file}: not valid YAML: {type(error).__name__} {error}") from None
    finally:
        loader.dispose()
    if problems:
        raise BadInput("\n".join(problems))
    if data is None:
        raise BadInput(f"{file}: the file is empty")
    if not isinstance(data, dict):
        found = "a list" if isinstance(data, tuple) else f"{data!r:.60}"
        raise BadInput(f"{file}:1: a study is a mapping of fields, found {found}")
    return Source(data, places)


# What libyaml says, where that needs plainer words.
# Spaces and marks that look like a plain space, or like nothing: of word processors and web pages.
ODD_SPACE = re.compile("[\u00a0\u1680\u2000-\u200d\u2028\u2029\u202f\u205f\u2060\u3000\ufeff]")


def odd_space(character: str) -> str:
    """What to do about one of ODD_SPACE."""
    return (
        f"there is a character that looks like a space or like nothing (U+{ord(character):04X}): "
        "write plain spaces"
    )


_PLAIN = {
    "but found another document": "a second document begins here (---): a study is one",
    "found undefined alias": "this alias (*) has no anchor (&) before it: text that begins with * "
    "needs quotes",
    "found character that cannot start any token": "no word begins with this character: put it "
    "in quotes",
    "mapping values are not allowed in this context": "a colon or an indent that does not fit: "
    "text with a colon needs quotes",
}


def _at(file: str, written: Any) -> Line:
    """Where a node or an event begins; an option has no lines."""
    return Line(file, None if file.startswith(OPTION) else written.start_mark.line + 1)


def _check_characters(text: str, file: str) -> None:
    """Raise BadInput, with its line, for a character that no YAML may hold."""
    found = yaml.reader.Reader.NON_PRINTABLE.search(text)
    if found is not None:
        line = text.count("\n", 0, found.start()) + 1
        where = Line(file, None if file.startswith(OPTION) else line)
        raise BadInput(
            f"{where}: not valid YAML: a control character (U+{ord(found[0]):04X}); is the "
            "file UTF-8 text?"
        )


def _check_depth(text: str, file: str) -> None:
    """Raise BadInput for nesting that would be deeper than the parser's stack."""
    if len(text) < SAFE_LENGTH:  # each level takes a character
        return
    depth = 0
    try:
        for event in yaml.parse(text, _Loader):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth > MAX_DEPTH:
                raise BadInput(f"{_at(file, event)}: nested more than {MAX_DEPTH} deep; refused")
    except yaml.YAMLError:
        return  # said by who reads it


def _build(
    loader: Any,
    node: yaml.Node,
    path: Path_,
    file: str,
    places: dict[Path_, Line],
    counter: list[int],
    problems: list[str],
) -> Any:
    counter[0] += 1
    if counter[0] > MAX_NODES:
        raise BadInput(
            f"{file}: more than {MAX_NODES:,} values once its aliases are expanded; refused"
        )
    if len(path) > MAX_DEPTH:
        raise BadInput(f"{_at(file, node)}: nested more than {MAX_DEPTH} deep; refused")
    places[path] = _at(file, node)
    if node.tag not in PLAIN_TAGS:
        problems.append(
            f"{places[path]}: not valid YAML for a study: the tag {node.tag} "
            "asks for more than plain data; refused"
        )
        return None
    if isinstance(node, yaml.MappingNode):
        out: dict[str, Any] = {}
        own = [pair for pair in node.value if pair[0].tag != MERGE]
        if len(node.value) - len(own) > 1:
            problems.append(f"{places[path]}: << is given twice: write one list, <<: [*a, *b]")
        for _, merged_node in (pair for pair in node.value if pair[0].tag == MERGE):
            parts = (
                merged_node.value if isinstance(merged_node, yaml.SequenceNode) else [merged_node]
            )
            for part in parts:
                found = _build(loader, part, path, file, places, counter, problems)
                if not isinstance(found, dict):
                    problems.append(f"{places[path]}: << merges mappings only")
                    continue
                out = {**found, **out}
        inherited = set(out)
        for key_node, value_node in own:
            line = _at(file, key_node)
            known = key_node.tag in PLAIN_TAGS and key_node.tag != f"{TAG}null"
            word = isinstance(key_node, yaml.ScalarNode) and not CONTROL.search(key_node.value)
            if not word or not known:
                problems.append(f"{line}: a field name must be a word")
                continue
            key = str(key_node.value)
            if key in inherited:
                inherited.discard(key)
            elif key in out:
                problems.append(f"{line}: field {key!r} is given twice")
            value = _build(loader, value_node, (*path, key), file, places, counter, problems)
            places[(*path, key)] = line
            out[key] = value
        return out
    if isinstance(node, yaml.SequenceNode):
        return tuple(
            _build(loader, child, (*path, i), file, places, counter, problems)
            for i, child in enumerate(node.value)
        )
    kind = node.tag.removeprefix(TAG)
    if kind == "str" and (found := CONTROL.search(node.value)):
        problems.append(
            f"{places[path]}: a control character (U+{ord(found[0]):04X}) in a text; leave it out"
        )
        return None
    if kind in NUMBERS and (beyond := scalars.beyond(node.value)):
        long = len(node.value) > SHOWN
        said = f"{node.value[:SHOWN]}... ({len(node.value):,} characters)" if long else node.value
        problems.append(f"{places[path]}: {said} is {beyond} for a number")
        return None
    if kind in scalars.PATTERNS and not _written_as(kind, node.value):  # tagged: !!int 0x10
        whole = kind == "int" and scalars.FLOAT.match(node.value)
        hint = scalars.instead_of(node.value, boolean=kind == "bool") if not whole else None
        problems.append(
            f"{places[path]}: {node.value!r} is no "
            f"{'whole number' if whole else 'number' if kind in NUMBERS else 'boolean'}"
            + (f": {hint}" if hint else "")
        )
        return None
    return loader.construct_object(node, deep=True)


NUMBERS = ("int", "float")
SHOWN = 40  # characters of a number
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def _written_as(kind: str, text: str) -> bool:
    pattern = scalars.PATTERNS[kind]
    return bool(pattern.match(text) or (kind == "float" and scalars.INTEGER.match(text)))


def merged(base: Source, overlay: Mapping[str, Any], places: Mapping[Path_, Line]) -> Source:
    """`base` with `overlay` laid over it: mappings merge, everything else is replaced."""
    data, out = _merge(base.data, overlay), dict(base.places)
    for path in _replaced(base.data, overlay, ()):
        for known in [p for p in out if p[: len(path)] == path]:
            del out[known]
    out.update(places)
    return Source(data, out)


def _merge(base: Any, overlay: Any, field: Any = None) -> Any:
    if isinstance(base, Mapping) and isinstance(overlay, Mapping):
        renamed = overlay.get("name", base.get("name")) != base.get("name")
        if renamed and field in component_fields():
            return overlay  # another component: the settings of the one before are not its own
        keys = [*base, *(k for k in overlay if k not in base)]
        return {
            k: _merge(base[k], overlay[k], k)
            if k in base and k in overlay
            else {**base, **overlay}[k]
            for k in keys
        }
    return overlay


def _replaced(base: Any, overlay: Any, path: Path_) -> Iterator[Path_]:
    if isinstance(base, Mapping) and isinstance(overlay, Mapping):
        for key in overlay:
            if key in base:
                yield from _replaced(base[key], overlay[key], (*path, key))
    else:
        yield path


def subtree(source: Source, path: Path_) -> tuple[Any, dict[Path_, Line]]:
    """The value at `path` and the places below it, as paths from there."""
    value: Any = source.data
    for part in path:
        value = value[part]
    n = len(path)
    places = {p[n:]: place for p, place in source.places.items() if p[:n] == path and len(p) > n}
    return value, places


def override(source: Source, assignment: str) -> Source:
    """Apply one `--set a.b=value`; the value is read as YAML. Errors: BadInput if malformed."""
    field, equals, text = assignment.partition("=")
    parts = tuple(field.strip().split("."))
    if not equals or not all(parts):
        raise BadInput(f"--set {assignment!r}: expected FIELD=VALUE, as in train.steps=500")
    if parts[:2] == ("matrix", "axes") and len(parts) > 3:  # an axis' name has dots of its own
        parts = (*parts[:2], ".".join(parts[2:]))
    origin = f"{OPTION}{assignment}"
    value = parse(f"value: {text}", origin).data["value"] if text.strip() else None
    if "#" in text and _comment(text):
        raise BadInput(f"{origin}: what follows the # is a comment: put the value in quotes")
    nested: Any = value
    for part in reversed(parts):
        nested = {part: nested}
    if parts[0] in ("profile", "profiles"):
        raise BadInput(f"{origin}: a profile is chosen with --profile")
    ends = [parts[:i] for i in range(1, len(parts) + 1)]
    places = {p: Line(origin) for p in ends if p == parts or p not in source.places}
    return merged(source, nested, places)


def _comment(text: str) -> bool:
    """Does YAML take a part of a `--set` text for a comment? Nobody means one there."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        return node is None or "#" in text[node.end_mark.index :]
    finally:
        loader.dispose()
