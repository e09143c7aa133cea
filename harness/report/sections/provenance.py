"""What made the numbers: versions, devices, extractor, reference, seeds, the command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.components.section import Section
from harness.report.blocks import Block, Pairs, Text, em, paragraph, ref
from harness.report.citation import sentences
from harness.report.findings import Findings
from harness.report.sections.method import setting_in_words
from harness.report.tables import said
from harness.report.wording import DASH


class Provenance(Section):
    """What made the numbers: versions, devices, extractor, reference, seeds, the command."""

    name = "provenance"
    title = "Provenance"

    def blocks(self, findings: Findings) -> list[Block]:
        shown = in_the_method(findings)
        rows = [
            (name, text, any(len(word) >= 40 for word in text.split()) or name == "command")
            for name, text in _flat(
                {k: v for k, v in findings.report.provenance.items() if k not in shown}
            )
        ]
        if not rows:
            return [paragraph(em("No provenance was recorded."))]
        spans: list[Text] = sentences(findings)
        if shown:
            spans += [" The settings of data, training and measurement stand in "]
            spans += [ref("tab-method"), "."]
        return [paragraph(*spans), Pairs(rows)]


def in_the_method(findings: Findings) -> set[str]:
    """What the section on the method of the same report lists: it is not said twice."""
    report = findings.report
    asked = {s if isinstance(s, str) else s.name for s in report.sections}
    if "method" not in asked:
        return set()
    return {
        name
        for name, value in report.settings.items()
        if name in report.provenance and said(report.provenance[name]) == said(value)
    }


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    for key, value in values.items():
        # A setting is said in words; what is nested is told by its own names.
        plain = prefix or isinstance(value, Mapping)
        name = f"{prefix}{str(key).replace('_', ' ') if plain else setting_in_words(str(key))}"
        if isinstance(value, Mapping):
            out += _flat(value, f"{name} ")
        elif isinstance(value, (list, tuple)):
            out.append((name, ", ".join(map(said, value)) or DASH))
        elif value is None or value == "":
            out.append((name, "not recorded"))
        else:
            out.append((name, said(value)))
    return out
