from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import ClassVar

import pytest

from harness import components
from harness.components import registry
from harness.errors import BadInput


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    yield
    registry.forget_files()


def test_every_kind_has_built_ins_and_each_keeps_the_laws_that_can_be_seen() -> None:
    for kind in registry.KINDS:
        found = list(registry.entries(kind))
        assert found, kind
        for entry in found:
            cls = registry.check_class(entry.load(), entry.where)
            assert (cls.kind, cls.name) == (kind, entry.name)
            assert cls.about(), f"{kind} {entry.name} says nothing of itself"


def test_an_unknown_name_lists_its_kind_and_the_nearest() -> None:
    with pytest.raises(components.UnknownComponent) as caught:
        components.get("sampler", "anzestral")
    assert "unknown sampler 'anzestral' (did you mean 'ancestral'?)" in str(caught.value)
    assert "ddim" in str(caught.value)
    with pytest.raises(BadInput, match=r"did you mean 'sampler'\?\); there are family"):
        components.names("sampler2")


def test_a_kind_may_be_called_as_people_say_it() -> None:
    assert components.names("data source") == components.names("source")
    assert components.names("report section") == components.names("section")


class Nameless(components.Schedule):
    """A schedule."""

    def factor(self, step: int, horizon: int) -> float:
        return 1.0


class Halved(Nameless):
    """Half the rate."""

    name: ClassVar[str] = "halved"

    share: float = 0.5
    "Of the rate."


class Bare(Nameless):
    """A setting without a word."""

    name: ClassVar[str] = "bare"
    share: float = 0.5


class Unfinished(components.Schedule):
    """No factor."""

    name: ClassVar[str] = "unfinished"


class Zero(Halved):
    """A version that is none."""

    name: ClassVar[str] = "zero"
    version: ClassVar[int] = 0


@pytest.mark.parametrize(
    ("cls", "said"),
    [
        (Nameless, "Nameless has no name"),
        (Bare, "settings share have no description"),
        (Unfinished, "the schedule unfinished lacks factor"),
        (Zero, "zero's version is 0"),
        (int, "is not a class derived from a contract"),
    ],
)
def test_what_breaks_the_contract_is_refused_with_its_place(cls: type, said: str) -> None:
    with pytest.raises(BadInput, match=f"file mine.py: .*{said}"):
        registry.entry_of(cls, "file mine.py")


def test_a_strangers_component_always_writes_its_version_and_all_its_settings() -> None:
    assert Halved().content() == {"name": "halved", "share": 0.5}
    assert components.base.uses([Halved()]) == {"schedule:halved": 1}
    constant = components.get("schedule", "constant")()
    assert components.base.uses([constant]) == {}


def test_two_of_one_name_are_refused_with_both_places() -> None:
    registry.add_file_entries([registry.entry_of(Halved, "file one.py")])
    assert components.get("schedule", "halved") is Halved
    with pytest.raises(BadInput, match=r"'halved': file one\.py and file two\.py; rename"):
        registry.add_file_entries([registry.entry_of(Halved, "file two.py")])


@pytest.mark.parametrize(
    ("name", "on_inception", "taken"),
    [("fid", None, "fid"), ("mine", "is", "is"), ("a", "fd", "fd")],
)
def test_a_metric_whose_values_would_stand_under_anothers_name_is_refused(
    name: str, on_inception: str | None, taken: str
) -> None:
    made = {"name": name, "on_inception": on_inception, "title": "T", "short_title": "t"}
    made |= {"better": "lower", "measure": lambda *_: None, "__module__": __name__}
    mine = type("Mine", (components.Metric,), made)
    with pytest.raises(BadInput, match=rf"are called {taken!r}: '\w+' \(built in\) and {name!r} "):
        registry.add_file_entries([registry.entry_of(mine, "file m.py")])


BAD_PACKAGE = {
    "import": ("\nimport nothing_of_that_name\n", "", r"ModuleNotFoundError: .*\.py:2\); mend the"),
    "exit": ("import sys\n\nsys.exit(0)\n", "", r"SystemExit: 0 \(.*\.py:3\); mend the package"),
    "lines": ("raise ValueError('one\\ntwo')\n", "", r"ValueError: one two \("),
    "name": ("", ":Nothing", "AttributeError: module .* has no attribute 'Nothing'; mend"),
    "class": ("class Other: pass", ":Other", "Other'> is not a class derived from a contract"),
    "twice": (
        "from harness.components import Section\n"
        + "".join(
            f'class {name}(Section):\n "It."\n name = "of-two"\n title = "It"\n'
            " def blocks(self, findings): return ()\n"
            for name in ("One", "Two")
        ),
        "",
        r"are called 'of-two': .*\.One \(line 2\) and .*\.Two \(line 7\); rename one",
    ),
}


@pytest.mark.parametrize("case", BAD_PACKAGE)
def test_a_package_that_cannot_be_read_is_named_with_what_is_wrong_and_the_line(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, attribute, said = BAD_PACKAGE[case]
    module = f"bad_package_{case}"
    (tmp_path / f"{module}.py").write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    point = metadata.EntryPoint("it", module + attribute, registry.GROUP)
    monkeypatch.setattr(registry.metadata, "entry_points", lambda group: [point])
    registry._read_installed.cache_clear()
    try:
        with pytest.raises(BadInput, match=f"package {module}.*{said}") as caught:
            registry.names("section")
    finally:
        registry._read_installed.cache_clear()
        sys.modules.pop(module, None)
    assert "\n" not in str(caught.value)


def test_a_key_is_read_back_as_the_component_it_was_made_of() -> None:
    from harness.components import stored

    registry.add_file_entries([registry.entry_of(Halved, "file one.py")])
    made = Halved(share=0.25)
    assert stored.read("schedule", made.key_fields("schedule")) == made
    assert stored.read("schedule", {}).name == "constant"  # keys of before there was a choice
    assert stored.read("schedule", {"schedule": "halved"}, places={"share": 0.1}).share == 0.1


def test_the_contract_of_each_kind_is_a_public_name() -> None:
    import harness.components

    public = [getattr(harness.components, name) for name in harness.components.__all__]
    kinds = {c.__dict__.get("kind") for c in public if isinstance(c, type)}
    assert set(registry.KINDS) <= kinds


def test_the_example_package_has_one_of_each_kind() -> None:
    import tomllib

    from example_package import PACKAGE

    about = tomllib.loads((PACKAGE / "pyproject.toml").read_text())
    assert set(about["project"]["entry-points"]["harness.components"]) == set(registry.KINDS)
    table = (PACKAGE / "README.md").read_text()
    for kind, module in about["project"]["entry-points"]["harness.components"].items():
        assert f"({module.replace('.', '/')}.py)" in table, kind


def test_a_kind_that_is_no_text_is_told() -> None:
    with pytest.raises(
        BadInput, match=r"the kind of component is 5 .*: give one of family, objective"
    ):
        components.names(5)  # type: ignore[arg-type]
