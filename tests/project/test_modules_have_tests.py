"""Each module of harness/ has a test file of its name, in the room of its name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = {"data": "data_room"}  # tests/data holds files


def expected(root: Path) -> Iterator[tuple[str, Path]]:
    """(module, its test file), both relative to `root`."""
    for path in sorted((root / "harness").rglob("*.py")):
        module = path.relative_to(root / "harness")
        if module.name in ("__init__.py", "__main__.py"):
            continue
        room = [ROOMS.get(part, part) for part in module.parts[:-1]]
        yield module.with_suffix("").as_posix(), Path("tests", *room, f"test_{module.name}")


def without_tests(root: Path) -> set[str]:
    return {
        module
        for module, file in expected(root)
        if not (root / file).exists() or "def test_" not in (root / file).read_text()
    }


def test_each_module_has_a_test_file_of_its_name() -> None:
    found = without_tests(ROOT)
    assert not found, f"give each of these modules a test file of its name: {sorted(found)}"


def test_the_test_sees_what_it_must(tmp_path: Path) -> None:
    for file in ("harness/a.py", "harness/data/b.py", "harness/data/c.py", "harness/__init__.py"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("")
    (tmp_path / "tests" / "data_room").mkdir(parents=True)
    (tmp_path / "tests" / "data_room" / "test_b.py").write_text("def test_it(): ...\n")
    (tmp_path / "tests" / "data_room" / "test_c.py").write_text("# nothing yet\n")
    assert without_tests(tmp_path) == {"a", "data/c"}
