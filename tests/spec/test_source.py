"""Reading YAML: what is refused, where each value was written, and how one is laid over another."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_study import GOOD, problems

from harness.errors import BadInput
from harness.spec import load_study, source


def test_unreadable_files_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        load_study(tmp_path / "nowhere.yaml")
    with pytest.raises(BadInput, match="it is a folder, and a study is a YAML file"):
        load_study(tmp_path)
    (tmp_path / "bytes.yaml").write_bytes(b"study: \xff\xfe")
    with pytest.raises(BadInput, match="not UTF-8"):
        load_study(tmp_path / "bytes.yaml")
    (tmp_path / "empty.yaml").write_text("")
    with pytest.raises(BadInput, match="empty"):
        load_study(tmp_path / "empty.yaml")
    (tmp_path / "list.yaml").write_text("- 1\n- 2\n")
    with pytest.raises(BadInput, match="a study is a mapping"):
        load_study(tmp_path / "list.yaml")


@pytest.mark.slow
def test_a_yaml_bomb_is_refused_quickly(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    (tmp_path / "bomb.yaml").write_text("\n".join(lines))
    with pytest.raises(BadInput, match="aliases are expanded; refused"):
        load_study(tmp_path / "bomb.yaml")


def test_a_recursive_alias_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loop.yaml").write_text("a: &a [*a]\n")
    with pytest.raises(BadInput, match=r"refused|not valid YAML"):
        load_study(tmp_path / "loop.yaml")


def test_python_objects_in_yaml_are_not_made(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    text = GOOD + f"about: !!python/object/apply:os.system ['touch {marker}']\n"
    assert "not valid YAML" in problems(tmp_path, text)[0]
    assert not marker.exists()


TEXT = """\
base: &base {a: 1, b: [x, y]}
study:
  <<: *base
  a: 2
"""


def test_each_value_has_the_line_where_it_was_written() -> None:
    found = source.parse(TEXT, "s.yaml")
    assert found.data == {"base": {"a": 1, "b": ("x", "y")}, "study": {"a": 2, "b": ("x", "y")}}
    assert str(found.place(("study", "a"))) == "s.yaml:4"
    assert str(found.place(("base", "b", 1))) == "s.yaml:1"
    assert str(found.place(("study", "c", "d"))) == "s.yaml:2"  # the nearest that is written


def test_what_is_laid_over_keeps_the_rest_and_brings_its_own_places() -> None:
    base = source.parse("train: {steps: 1, betas: [1, 2]}\ndata: {name: x}\n", "s.yaml")
    over = source.override(base, "train.betas=[3]")
    assert over.data == {"train": {"steps": 1, "betas": (3,)}, "data": {"name": "x"}}
    assert str(over.place(("train", "betas", 0))) == "--set train.betas=[3]"
    assert str(over.place(("train", "steps"))) == "s.yaml:1"
    assert base.data["train"]["betas"] == (1, 2)  # as it was


def test_another_component_does_not_inherit_the_settings_of_the_one_before() -> None:
    base = source.parse("sampler: {name: ddim, eta: 0.5}\ndata: {name: x, path: p}\n", "s.yaml")
    over = source.override(base, "sampler={name: flow-heun}")
    assert over.data["sampler"] == {"name": "flow-heun"}
    same = source.override(base, "sampler={name: ddim}")
    assert same.data["sampler"] == {"name": "ddim", "eta": 0.5}
    named = source.override(base, "data.name=y")  # no component: the data's identity
    assert named.data["data"] == {"name": "y", "path": "p"}


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("train.steps", "expected FIELD=VALUE, as in train.steps=500"),
        ("train..steps=1", "expected FIELD=VALUE"),
        ("profile=x", "a profile is chosen with --profile"),
        ("profiles.laptop.seed=1", "a profile is chosen with --profile"),
        ("a=[1", "--set a=[1: not valid YAML"),
    ],
)
def test_an_override_that_says_nothing_is_refused(assignment: str, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        source.override(source.parse("a: 1\n", "s.yaml"), assignment)
    assert said in str(caught.value)


def test_a_part_is_had_with_its_places() -> None:
    found = source.parse("profiles:\n  long:\n    seed: 3\n", "s.yaml")
    value, places = source.subtree(found, ("profiles", "long"))
    assert value == {"seed": 3}
    assert {path: str(place) for path, place in places.items()} == {("seed",): "s.yaml:3"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\na: 2\n", "s.yaml:2: field 'a' is given twice"),
        ("a: 1\n[b]: 2\n", "s.yaml:2: a field name must be a word"),
        ("null: 2\n", "s.yaml:1: a field name must be a word"),
        ("a:\n  <<: [1]\n", "<< merges mappings only"),
        ("a:\n\tb: 1\n", "s.yaml:2: not valid YAML: there is a tab: indent with spaces"),
        ("a: 1\nb:\u00a02\nc: 3\n", "s.yaml:2: not valid YAML: there is a character that looks"),
        ("a: 1\nb:\u30002\n", "(U+3000): write plain spaces"),
        ("a: " + "[" * 60 + "]" * 60, "nested more than 40 deep; refused"),
    ],
)
def test_what_no_study_means_is_said_with_its_line(text: str, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        source.parse(text, "s.yaml")
    assert said in str(caught.value)
