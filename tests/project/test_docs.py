"""Every command and snippet of our pages, as a reader would type it, in an empty folder."""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import warm
import yaml
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))  # --import-mode=importlib leaves it out
from pages import ROOT, Block, blocks, commands, given, pages

from harness.cli import parser
from harness.commands.explain import every_setting
from harness.models import build
from harness.spec import load_study, shipped
from harness.store.tables import TABLES

PAGES = {str(page.relative_to(ROOT)): page for page in pages()}


LONG = ("README.md", "docs/howto/run-on-a-cluster.md")  # many commands, each quick


def slow(page: Path) -> bool:
    if page.relative_to(ROOT).as_posix() in LONG:
        return True
    return "results" in given(page) or any(b.mark == "slow" for b in blocks(page))


def typed_in(folder: Path) -> None:
    """A `python` that is this one, and what lies beside it in a checkout."""
    (folder / "bin").mkdir()
    python = folder / "bin" / "python"  # a link would lose the virtual environment
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(warm.python())} "$@"\n')
    python.chmod(0o755)
    (folder / "studies").symlink_to(shipped.folder())
    (folder / "tests").symlink_to(ROOT / "tests")


def prepare(page: Path, folder: Path, session: Path) -> None:
    """What the page takes as given. `session` is a folder that all processes of this run share."""
    typed_in(folder)
    for thing in given(page):
        GIVEN[thing](folder, session)


def photos(folder: Path, _: Path) -> None:
    draws = np.random.default_rng(0)
    for name in ("cats", "dogs", "owls"):
        (folder / "photos" / name).mkdir(parents=True)
        for i in range(20):
            pixels = draws.integers(0, 256, (40, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / name / f"{i:04}.png")


def checkpoint(folder: Path, _: Path) -> None:
    model = build(depth=2, width=24, heads=4, patch_size=2, input_size=8, channels=3, num_classes=9)
    torch.save(model.state_dict(), folder / "small.pt")


def results(folder: Path, session: Path) -> None:
    """Two models of `scaling` in the profile `smoke`, run once for all pages and processes."""
    made = session / "pages"
    with (session / "pages.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (made / "done").exists():
            made.mkdir()
            typed_in(made)
            text = "python -m harness run scaling --profile smoke --only '*S/8*'"
            execute(made, Block("", 0, "sh", text, ""))
            (made / "done").touch()
    for name in ("results", "reports"):
        shutil.copytree(made / name, folder / name)


GIVEN = {"photos": photos, "checkpoint": checkpoint, "results": results}


def execute(folder: Path, block: Block) -> None:
    """Run a block as it stands. A failure says which, and what it printed."""
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    about = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    words = {
        "sh": ["bash", "-euo", "pipefail", "-c", block.text],
        "python": [warm.python(), "-c", block.text],
        "sql": [warm.python(), "-c", f"import duckdb; print(duckdb.sql({block.text!r}))"],
    }[block.language]
    done = subprocess.run(words, cwd=folder, env=about, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, (
        f"{block.page}:{block.line} ends with {done.returncode}\n{block.text}\n"
        f"{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    )


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] if slow(p) else []) for n, p in PAGES.items()],
)
def test_a_page_can_be_followed(
    name: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    todo = [block for block in blocks(PAGES[name]) if block.run]
    if todo:
        session = tmp_path_factory.getbasetemp()
        worker = "PYTEST_XDIST_WORKER" in os.environ
        prepare(PAGES[name], tmp_path, session.parent if worker else session)
    for block in todo:
        execute(tmp_path, block)


def test_what_is_not_run_says_why_and_is_understood() -> None:
    """Commands that need a GPU, a cluster or hours: their verbs, options and profiles exist."""
    understands = parser()
    wrong = []
    for page in PAGES.values():
        for block in blocks(page):
            if block.run:
                continue
            assert block.mark.startswith("no, ") and len(block.mark) > 12, f"{block}: why not?"
            for line in commands(block) if block.language == "sh" else []:
                words = shlex.split(line, comments=True)
                if words[:3] != ["python", "-m", "harness"]:
                    continue
                try:
                    options = understands.parse_args(words[3:])
                    if getattr(options, "study", None) in shipped.names():
                        load_study(options.study, options.profile)
                except SystemExit:
                    wrong.append(f"{block.page}:{block.line}: {line}")
    assert not wrong


def test_studies_shown_as_yaml_are_yaml() -> None:
    import re

    for name, page in PAGES.items():
        for text in re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.M | re.S):
            assert isinstance(yaml.safe_load(text), dict), name


def test_the_blocks_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- given: photos -->\n```sh\necho a\n```\n<!-- run: no, it needs a cluster -->\n"
        "```python\nprint(1)\n```\n```text\nnot run\n```\n"
    )
    first, second = blocks(page)
    assert (first.language, first.text, first.mark, first.line) == ("sh", "echo a", "", 3)
    assert (second.language, second.run) == ("python", False)
    assert given(page) == ["photos"]


def test_the_reference_has_every_setting_verb_column_and_name() -> None:
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        import made

        written = made.pages()
    finally:
        sys.path.remove(str(ROOT / "docs"))
    for setting in every_setting():
        assert f"| `{setting.name}` |" in written["study"], setting.path
    for columns in TABLES.values():
        assert all(f"| `{column.name}` |" in written["records"] for column in columns)
    for verb in ("run", "plan", "new", "explain"):
        assert f"## `{verb}`" in written["cli"]
    assert "harness.metrics.frechet_distance" in written["python"]
    assert "| `glyphs-cnn` |" in written["components"]
