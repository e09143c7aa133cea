"""The section on cost: time kept and lost, added up."""

from __future__ import annotations

from report_words import cells_of, said

from harness.report.input import Spent


def report(make, spent):
    return make.report(make.frames(sizes=()), ("cost",), spent=spent, samples={})


def test_every_kind_has_a_row_and_all_are_added_up(make) -> None:
    spent = [Spent("train", 3, 7200.0, 1, 65.0), Spent("sample", 1200, 59.7, 0, 0.0)]
    table = cells_of(report(make, spent), "tab-cost")
    assert table["rows"] == [
        ["train", "3", "2 h 00 min", "1", "1 min 05 s"],
        ["sample", "1,200", "1 min 00 s", "0", "0 s"],
        ["all", "1,203", "2 h 01 min", "1", "1 min 05 s"],
    ]
    assert table["rules"] == [2]


def test_gpu_hours_stand_beside_the_time_where_a_queue_gave_gpus(make) -> None:
    spent = [Spent("train", 3, 7200.0, 1, 900.0, 16.0, 2.0), Spent("sample", 1, 60.0, 0, 0.0)]
    table = cells_of(report(make, spent), "tab-cost")
    assert table["head"][0][3] == "GPU-hours kept" and table["head"][0][-1] == "GPU-hours lost"
    assert table["rows"][0] == ["train", "3", "2 h 00 min", "16.0", "1", "15 min 00 s", "2.0"]
    assert [row[3] for row in table["rows"]] == ["16.0", "0.0", "16.0"]
    assert "GPU-hours" not in said(report(make, [Spent("train", 1, 60.0, 0, 0.0)]))


def test_without_attempts_the_cost_is_not_known_and_not_zero(make) -> None:
    text = said(report(make, ()))
    assert "No attempt is on record, so what it cost is not known." in text
    assert "0 s" not in text
