"""A component that is not installed: the results folder says where it came from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.components import files
from harness.errors import BadInput
from harness.store import origins, studies
from harness.store.studies import Index

SHA = "5" * 64
COMPONENTS = {
    "family:my-net": {"from": "package nets 1.2", "version": 3},
    "source:loops": {"from": "file loops.py", "version": 1, "sha256": SHA},
    "family:DiT": {"from": "package other 1", "version": 1},  # installed here: nothing to say
}
ERROR = "s.yaml:8: unknown family 'my-net'\ns.yaml:3: data.source is 'loops'; 'DiT' is allowed"


def write(root: Path, name: str = "one") -> None:
    studies.write(root, Index(name, "laptop", "", (), {}, components=COMPONENTS))


def test_a_package_and_a_file_are_told_and_nothing_else(tmp_path: Path) -> None:
    write(tmp_path)
    family, source = origins.sentences(tmp_path, ERROR)
    assert "family 'my-net' is not installed here" in family
    assert "version 3 of package nets 1.2: install that" in family
    assert f"version 1 of file loops.py (SHA-256 {SHA[:12]}): list that" in source
    assert "its content is in" not in source
    copy = files.copy_of(tmp_path, SHA)
    copy.parent.mkdir()
    copy.write_text("")
    assert f"its content is in {copy}" in origins.sentences(tmp_path, ERROR)[1]
    assert origins.sentences(tmp_path, "s.yaml:8: unknown family 'my-ned'") == []


def test_manifests_tell_where_no_studys_file_does(tmp_path: Path) -> None:
    folder = tmp_path / "artifacts" / "train" / ("a" * 64)
    folder.mkdir(parents=True)
    manifest = {"provenance": {"components": {"family:my-net": COMPONENTS["family:my-net"]}}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "artifacts" / "train" / ("b" * 64)).mkdir()
    (tmp_path / "artifacts" / "train" / ("b" * 64) / "manifest.json").write_text("{damaged")
    (sentence,) = origins.sentences(tmp_path, ERROR)
    assert "package nets 1.2" in sentence


def test_a_folder_that_holds_nothing_tells_nothing(tmp_path: Path) -> None:
    assert origins.sentences(tmp_path / "absent", ERROR) == []


def test_files_that_are_absent_are_told_from_mistakes(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        files.of_study(["one.py", "two.py"], tmp_path)
    assert origins.only_files_are_absent(str(caught.value))
    with pytest.raises(BadInput) as caught:
        files.of_study(["one.py", "two.txt"], tmp_path)
    assert not origins.only_files_are_absent(str(caught.value))
