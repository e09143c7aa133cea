"""The reference pages, made from the code: settings, verbs, records, components, Python."""

from __future__ import annotations

import argparse
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from harness.cli import VERBS, parser
from harness.commands.explain import Setting, below, every_setting
from harness.components import registry
from harness.store.tables import IDENTITY, TABLES

NOTE = "<!-- Made by docs/made.py from the code. Do not edit. -->\n\n"
EXAMPLE = Path(__file__).resolve().parents[1] / "tests" / "example_components"
MODULES = ("harness", "harness.models", "harness.diffusion", "harness.metrics", "harness.analysis")


def write(folder: Path) -> list[Path]:
    """Write every page; the files. A page that did not change is left alone."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in pages().items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
        written.append(path)
    return written


def pages() -> dict[str, str]:
    """Name -> Markdown."""
    return {
        "study": NOTE + study_page(),
        "cli": NOTE + cli_page(),
        "records": NOTE + records_page(),
        "components": NOTE + components_page(),
        "python": NOTE + python_page(),
        "bring-your-own": NOTE + bring_page(),
    }


def study_page() -> str:
    """Every setting of a study, section by section."""
    settings = list(every_setting())
    grouped: dict[str, list[Setting]] = {}
    for setting in settings:
        grouped.setdefault(setting.path.rpartition(".")[0], []).append(setting)
    out = [
        "# A study's settings\n",
        "`python -m harness explain FIELD` says the same in a terminal, and editors show it once "
        "`python -m harness schema --write FOLDER` has put the schema beside your studies. A "
        "setting that is *in the key* makes other stages when it is changed; see "
        "[keys](../explanation/keys.md).\n",
    ]
    sections = {s.path: s for s in settings if s.inner is not None}
    for section, fields in grouped.items():
        about = _section(section, sections)
        out.append(f"## {f'`{section}`' if section else 'The study'}\n")
        if about:
            out.append(f"{about}\n")
        out.append("| setting | type | default | in the key | meaning |")
        out.append("| --- | --- | --- | --- | --- |")
        for s in fields:
            default = "(required)" if s.default is None else f"`{s.default}`"
            cells = [f"`{s.name}`", s.allowed, default, "yes" if s.in_key else "no", s.about]
            out.append(f"| {' | '.join(map(_cell, cells))} |")
        out.append("")
    return "\n".join(out)


def _section(path: str, sections: dict[str, Setting]) -> str:
    found = sections.get(path) or sections.get(path.removesuffix(".NAME"))
    return found.about if found else ""


def cli_page() -> str:
    """Every verb with its options."""
    whole = parser()
    (verbs,) = (a for a in whole._actions if isinstance(a, argparse._SubParsersAction))
    out = [
        "# The command line\n",
        "`python -m harness VERB`, or `harness VERB` where the package is installed.\n",
        "Exit codes: 0 done, 1 some stage failed, 2 bad usage or bad study, 3 stopped before the "
        "end, 130 interrupted.\n",
    ]
    for verb, summary in VERBS.items():
        if verb not in verbs.choices:
            continue
        out += [f"## `{verb}`\n", f"{summary[0].upper()}{summary[1:]}.\n"]
        out += ["| option | meaning |", "| --- | --- |"]
        for action in verbs.choices[verb]._actions:
            if isinstance(action, argparse._HelpAction):
                continue
            out.append(f"| `{_cell(_spelled(action))}` | {_cell(_meaning(action))} |")
        out.append("")
    return "\n".join(out)


def _spelled(action: argparse.Action) -> str:
    value = action.metavar or (
        "{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.dest.upper()
    )
    if not action.option_strings:
        return str(value)
    return ", ".join(action.option_strings) + (f" {value}" if action.nargs != 0 else "")


def _meaning(action: argparse.Action) -> str:
    return (action.help or "") % {"default": action.default}


def records_page() -> str:
    """Every column of the three tables."""
    out = [
        "# The records\n",
        "Three Parquet tables under `results/records/`. A column that is null was not measured or "
        "does not apply. *Volatile* columns (clock, host, speed) may differ between two executions "
        "of the same stage; all others may not.\n",
    ]
    for table, columns in TABLES.items():
        key = ", ".join(f"`{c}`" for c in IDENTITY[table])
        out += [f"## `{table}`\n", f"A row is unique by {key}.\n"]
        out += ["| column | type | meaning | volatile |", "| --- | --- | --- | --- |"]
        for c in columns:
            cells = [f"`{c.name}`", c.type, c.meaning, "yes" if c.volatile else ""]
            out.append(f"| {' | '.join(map(_cell, cells))} |")
        out.append("")
    return "\n".join(out)


def components_page() -> str:
    """Every built-in component of each kind, and the contract that it keeps."""
    out = [
        "# Components\n",
        "What a study names. Those below ship with the harness; yours stand beside them under the "
        "same contract.\n",
    ]
    for kind in registry.KINDS:
        contract = registry.contract(kind)
        module = inspect.getdoc(importlib.import_module(contract.__module__)) or ""
        first, _, rest = module.partition("\n\n")
        out += [f"## {registry.word(kind)}\n", f"{' '.join(first.split())}\n"]
        out += ["| name | what it is |", "| --- | --- |"]
        entries = [e for e in registry.entries(kind) if e.where == "built in"]
        out += [f"| `{entry.name}` | {_cell(_about(entry))} |" for entry in entries]
        out += [line for entry in entries for line in _settings(kind, entry)]
        out += ["", f"The contract, `{contract.__module__}.{contract.__name__}`:\n"]
        out += ["```text", rest.strip() or " ".join(first.split()), "```", ""]
    return "\n".join(out)


def _about(entry: registry.Entry) -> str:
    try:
        return entry.load().about()
    except (ImportError, AttributeError):  # announced by the table, and not written yet
        return ""


def _settings(kind: str, entry: registry.Entry) -> list[str]:
    """The settings of one component, as a table."""
    found = [*below("", ("choice", kind))]
    (own,) = [s for s in found if s.name == entry.name]
    if own.inner is None:
        return []
    out = ["", f"Settings of `{entry.name}`:\n", "| setting | type | default | meaning |"]
    out.append("| --- | --- | --- | --- |")
    for s in below(own.path, own.inner):
        default = "(required)" if s.default is None else f"`{s.default}`"
        out.append(f"| {' | '.join(map(_cell, [f'`{s.name}`', s.allowed, default, s.about]))} |")
    return out


def bring_page() -> str:
    """How to bring components: the example package's README, with its files in full."""
    page = EXAMPLE / "README.md"
    if not page.exists():  # an installation without the tests
        return "# Bring your own\n\nThe contracts are in [components](components.md).\n"
    # the files stand below: what links to them is their name
    out = [re.sub(r"\[([^\]]+)\]\((?!https?:)[^)]+\)", r"`\1`", page.read_text())]
    for path in sorted(EXAMPLE.rglob("*")):
        language = {".py": "python", ".yaml": "yaml", ".toml": "toml"}.get(path.suffix)
        if language and path.name != "__init__.py" and path.is_file():
            name = path.relative_to(EXAMPLE).as_posix()
            out += [f"## The file `{name}`\n", f"```{language}", path.read_text().rstrip(), "```\n"]
    return "\n".join(out)


def python_page() -> str:
    """The public names of the package with their signatures and docstrings."""
    out = [
        "# The Python package\n",
        "What is listed here is public. Names are loaded on first use, so importing the package is "
        "instant; `help(harness.models)` lists the same.\n",
    ]
    for name in MODULES:
        module = importlib.import_module(name)
        doc = inspect.getdoc(module) or ""
        out += [f"## `{name}`\n", "```text", doc, "```", ""]
        for public in sorted(module.__all__, key=str.lower):
            out += _public(name, public, getattr(module, public))
    return "\n".join(out)


def _public(module: str, name: str, what: object) -> Iterator[str]:
    signature = ""
    if callable(what):
        try:
            signature = str(inspect.signature(what))
        except ValueError:
            signature = "(...)"
    yield f"### `{module}.{name}`\n"
    yield "```python"
    yield f"{name}{signature}"
    yield "```"
    yield "```text"
    yield inspect.getdoc(what) or ""
    yield "```"
    yield ""


def _cell(text: str) -> str:
    """Text that may stand in a table."""
    return " ".join(str(text).split()).replace("|", "\\|")
