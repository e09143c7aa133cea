"""The README's analysis code does what it says."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import duckdb
import pytest

import harness
from harness.plan import make_plan
from harness.plan.index import index
from harness.store import records, studies

ROOT = Path(__file__).resolve().parent.parent


def block(language: str, containing: str) -> str:
    """A fenced block of the README."""
    blocks = re.findall(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (found,) = [b for b in blocks if containing in b]
    return found


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The default study's records, as its run would leave them; here is its folder."""
    plan = make_plan(harness.load_study(ROOT / "studies" / "scaling.yaml", "laptop"))
    root = tmp_path / "results"
    wanted = [m for m in plan.measurements if m.evaluation in ("final", "over-training")]
    for number, m in enumerate(wanted):
        run = plan.study.runs[m.run]
        row = {"key": m.evaluate, "metric": "fd_glyphs_cnn", "value": float(number + 1)}
        row |= {"of": "samples", "step": m.step, "sampling_steps": m.sampling_steps}
        row |= {"samples": plan.study.settings.evaluations[m.evaluation].samples}
        row |= {
            "size": run.model.facts["size"],
            "gflops": float(m.run + 1),
            "checkpoint_key": m.checkpoint,
        }
        records.write(root, "metrics", m.evaluate, [row])
    records.compact(root, above=0)
    studies.write(root, index(plan))
    monkeypatch.chdir(tmp_path)
    return root


@pytest.mark.slow
def test_figure_8_in_five_lines_of_pandas_and_one_query_of_duckdb(results: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    code = block("python", "figure8.png")
    assert len(ast.parse(code).body) <= 6  # an import, and five
    names: dict[str, object] = {}
    exec(code, names)
    assert Path("figure8.png").stat().st_size > 5_000
    shown = names["m"]
    assert len(shown) == 12  # type: ignore[arg-type]
    found = duckdb.sql(block("sql", "records/metrics")).fetchall()
    columns = shown[["model.size", "gflops", "value"]]  # type: ignore[index]
    assert found == [tuple(row) for row in columns.values.tolist()]
