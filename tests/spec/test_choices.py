"""From what a study writes to the component that it names, or to what is wrong, with its place."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from harness.components import Section, get, registry
from harness.spec import choices
from harness.spec.schema import EvaluationSettings
from harness.spec.source import Line, Source

WHERE = Source({}, {(): Line("s.yaml", 1), ("sampler",): Line("s.yaml", 7)})


def chosen(kind: str, value: Any, path: tuple[Any, ...] = ("sampler",)) -> tuple[Any, list[str]]:
    problems: list[str] = []
    return choices.component(kind, value, WHERE, path, problems), problems


def test_a_name_is_a_mapping_with_the_name_alone() -> None:
    (short, _), (long, problems) = chosen("sampler", "ddim"), chosen("sampler", {"name": "ddim"})
    assert short == long and isinstance(short, get("sampler", "ddim")) and not problems
    (other, _) = chosen("sampler", {"name": "ddim", "eta": 0.5})
    assert other != short and other.eta == 0.5
    assert chosen("sampler", other) == (other, [])  # what was looked up already


def test_of_a_section_by_its_name_alone_nothing_is_loaded() -> None:
    assert chosen("section", "headline") == ("headline", [])


def test_a_strangers_section_that_lacks_a_setting_is_told_before_the_report_is_made() -> None:
    class Told(Section):
        """It must be told what to say."""

        name: ClassVar[str] = "told"
        title: ClassVar[str] = "Told"

        sentence: str
        "What it says."

        def blocks(self, findings: Any) -> list[Any]:
            return []

    registry.add_file_entries([registry.entry_of(Told, "file told.py")])
    try:
        made, (problem,) = chosen("section", "told", ("sampler",))
        assert made is None and "sampler.sentence is missing" in problem
        assert chosen("section", {"name": "told", "sentence": "x"})[0] == Told(sentence="x")
    finally:
        registry.forget_files()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("dim", "s.yaml:7: sampler is 'dim' (did you mean 'ddim'?); allowed: ancestral, ddim"),
        ({"eta": 1.0}, "s.yaml:7: sampler names no sampler: write {name: ...}, of ancestral"),
        ({"name": 3}, "s.yaml:7: sampler names no sampler"),
        ({"name": "ddim", "eat": 1.0}, "unknown field 'sampler.eat' (did you mean 'eta'?)"),
        ({"name": "ddim", "eta": "x"}, "s.yaml:7: sampler.eta is 'x' (text); it should be a numb"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(value: Any, said: str) -> None:
    made, (problem,) = chosen("sampler", value)
    assert made is None and said in problem


def test_a_whole_section_has_components_for_names_and_every_problem_at_once() -> None:
    section = EvaluationSettings.model_validate({"metrics": ("fd", "kid"), "sampler": "ddim"})
    problems: list[str] = []
    made: Any = choices.resolved(section, WHERE, (), problems)
    assert [m.name for m in made.metrics] == ["fd", "kid"] and made.sampler.name == "ddim"
    assert not problems
    section = EvaluationSettings.model_validate({"metrics": ("fd", "kidd"), "sampler": "dim"})
    choices.resolved(section, WHERE, (), problems)
    assert len(problems) == 2
    written = {"metrics": ("kidd",), "sampler": {"name": "dim"}, "samples": -1}
    assert len(choices.unchecked(EvaluationSettings, written, WHERE, ())) == 2
    assert choices.unchecked(EvaluationSettings, "text", WHERE, ()) == []
