"""Table 3 at all steps: a row per model and measured step, the paper's value where it is alike."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest

from harness.report import checkpoints
from harness.report.blocks import plain
from harness.report.document import compose, save_parts
from harness.report.findings import find

KINDS = ("fd", "sfd", "is", "precision", "recall")
NAMES = [f"{kind}_glyphs_cnn" for kind in KINDS]
PAPERS = ["fid", "sfid", "inception_score", "precision", "recall"]


def as_the_paper(make, **changes):
    """XL/2 and S/8 at the paper's steps, measured as Table 3's were."""
    found = make.frames(sizes=("S", "XL"), patches=(2,), milestones=(400_000, 2_350_000, 7_000_000),
                        sweep=(), family="DiT", extractor="inception-2015")  # fmt: skip
    alike = {"samples": 50_000, "sampling_steps": 250, "objective": "ddpm", "batch_size": 256,
             "learning_rate": 1e-4, **changes}  # fmt: skip
    found["metrics"] = found["metrics"].assign(**alike)
    return find(make.report(found, ("models",), samples={}))


@pytest.mark.slow
def test_every_model_has_a_row_for_each_step_with_all_five_metrics(make) -> None:
    found = find(make.report(make.frames(sizes=("S", "B"), patches=(4, 2)), ("models",)))
    (table,) = checkpoints.blocks(found, NAMES)
    assert len(table.rows) == 4 * 4 and table.rules == [4, 8, 12]
    assert [line[3] for line in table.rows[:4]] == ["375", "750", "1,125", "1,500"]
    head = table.head[0]
    assert head[4:] == ["FD ↓", "sFD ↓", "Class score ↑", "Prec. ↑", "Rec. ↑"]
    rows = found.report.frames["metrics"]
    one = rows[(rows["model"] == "DiT-micro-B/2") & (rows["step"] == 750)].set_index("metric")
    (line,) = [r for r in table.rows if r[0] == "DiT-micro-B/2" and r[3] == "750"]
    for name, text in zip(NAMES, line[4:], strict=True):
        assert float(text.split()[0]) == pytest.approx(one["value"][name], rel=0.01)
    assert "Batch 64, learning rate 0.001." in plain(table.caption)
    assert "Measured otherwise" not in plain(table.caption)
    assert "1,000 samples" in plain(table.caption) and "stand here" not in plain(table.caption)


@pytest.mark.slow
def test_the_papers_values_stand_beside_where_the_setting_is_the_papers(make) -> None:
    (table,) = checkpoints.blocks(as_the_paper(make), PAPERS)
    assert table.head[0][-2:] == ["the paper's", "differ."]
    theirs = [(line[0], line[3], line[-2]) for line in table.rows]
    assert theirs == [
        ("DiT-S/2", "400,000", "68.40"), ("DiT-S/2", "2,350,000", "–"),
        ("DiT-S/2", "7,000,000", "–"), ("DiT-XL/2", "400,000", "19.47"),
        ("DiT-XL/2", "2,350,000", "10.67"), ("DiT-XL/2", "7,000,000", "9.62"),
    ]  # fmt: skip
    row = table.data.iloc[-1]
    assert row["difference"] == pytest.approx(row["fid"] - 9.62)
    assert table.rows[-1][-1].lstrip("+−").startswith(f"{abs(row['difference']):.2f}"[:3])
    for change in ({"samples": 10_000}, {"objective": "flow"}, {"batch_size": 1024}):
        (table,) = checkpoints.blocks(as_the_paper(make, **change), PAPERS)
        assert table.head[0][-1] == "Rec. ↑" and "paper_fid" not in table.data


@pytest.mark.slow
def test_steps_that_were_measured_otherwise_than_the_last_say_so(make) -> None:
    found = make.frames(sizes=("S", "B"), patches=(4,), milestones=(750, 1500), sweep=())
    rows = found["metrics"]
    more = rows[rows["step"] == 1500].assign(samples=4000)
    found["metrics"] = pd.concat([rows[rows["step"] != 1500], more, rows[rows["step"] == 1500]])
    third = found["metrics"][found["metrics"]["samples"] != 4000].assign(step=100)
    found["metrics"] = pd.concat([found["metrics"], third], ignore_index=True)
    (table,) = checkpoints.blocks(find(make.report(found, ("models",))), NAMES)
    said = plain(table.caption)
    assert "1,000 samples" in said and "Measured otherwise than tab-models" in said


def test_the_papers_network_at_512_has_its_own_steps() -> None:
    row = {"family": "DiT", "size": "XL", "patch_size": 2, "block": "adaln-zero", "tokens": 1024,
           "image_size": 512}  # fmt: skip
    assert checkpoints.published({**row, "step": 3_000_000}) == 11.93
    assert checkpoints.published({**row, "step": 1_301_000}) == 13.78
    assert checkpoints.published({**row, "step": 400_000}) is None
    assert checkpoints.published({**row, "step": 3_000_000, "tokens": 256}) is None


@pytest.mark.slow
def test_one_step_has_no_such_table(make) -> None:
    found = make.frames(sizes=("S", "B"), patches=(4,), milestones=(1500,), sweep=())
    assert checkpoints.blocks(find(make.report(found, ("models",))), NAMES) == []
    assert checkpoints.blocks(find(make.report(make.frames(sizes=()))), NAMES) == []


def test_long_tables_are_cut_model_by_model_and_keep_the_last_and_the_papers() -> None:
    frame = pd.DataFrame({"label": [m for m in "abc" for _ in range(40)],
                          "step": list(range(40)) * 3, "paper_fid": None})  # fmt: skip
    frame.loc[45, "paper_fid"] = 19.47
    kept = checkpoints.shown(frame, 12)
    assert kept["step"].tolist()[:4] == [0, 13, 26, 39] and set(kept["label"]) == {"a", "b", "c"}
    assert 5 in set(kept[kept["label"] == "b"]["step"]) and len(kept) == 12
    assert checkpoints.shown(frame, 120) is frame
    many = pd.DataFrame({"label": [str(i // 2) for i in range(80)], "step": [1, 2] * 40})
    assert checkpoints.shown(many, 60)["step"].tolist() == [2] * 40


@pytest.mark.slow
def test_what_is_left_out_is_counted_and_lies_in_the_csv(make, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(checkpoints, "MOST", 4)
    found = make.frames(sizes=("S", "B"), patches=(4,), sweep=())
    document = compose(make.report(found, ("models",), samples={}))
    (table,) = [b for b in document.pieces() if getattr(b, "label", "") == "tab-checkpoints"]
    assert len(table.rows) == 4
    assert "Of 8 rows 4 stand here; checkpoints.csv" in plain(table.caption)
    only = SimpleNamespace(pieces=lambda: [table])
    assert [p.name for p in save_parts(only, tmp_path)] == ["checkpoints.csv"]
    frame = pd.read_csv(tmp_path / "checkpoints.csv")
    assert len(frame) == 8 and set(NAMES) <= set(frame)
