"""The section on cost: time, GPU-hours and energy, kept and lost, added up."""

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


def test_gpu_hours_stand_beside_the_time_where_there_were_gpus(make) -> None:
    spent = [Spent("train", 3, 7200.0, 1, 900.0, 16.0, 2.0), Spent("sample", 1, 60.0, 0, 0.0)]
    table = cells_of(report(make, spent), "tab-cost")
    assert table["head"][0][3] == "GPU-hours kept" and table["head"][0][-1] == "GPU-hours lost"
    assert table["rows"][0] == ["train", "3", "2 h 00 min", "16.0", "1", "15 min 00 s", "2.0"]
    assert [row[3] for row in table["rows"]] == ["16.0", "0.0", "16.0"]
    assert "GPU-hours" not in said(report(make, [Spent("train", 1, 60.0, 0, 0.0)]))


def test_energy_stands_beside_with_of_how_many_attempts_it_is_known(make) -> None:
    spent = [
        Spent("complexity", 12, 3.0, 0, 0.0),
        Spent("train", 14, 7200.0, 2, 900.0, 4.0, 0.25, 14, 0, 12, 1234.56, 0.063),
    ]
    found = report(make, spent)
    table = cells_of(found, "tab-cost")
    assert table["head"][0] == [
        *("Stages", "Attempts", "time kept", "GPU-hours kept", "kWh kept"),
        *("failed or stopped", "time lost", "GPU-hours lost", "kWh lost", "kWh known of"),
    ]
    assert table["rows"][0][3:5] == ["0.0", "–"] and table["rows"][0][-2:] == ["–", "–"]
    assert table["rows"][1][3:5] == ["4.0", "1,234.6"]
    assert table["rows"][1][-3:] == ["0.25", "0.063", "12 of 14"]
    assert table["rows"][2][-2:] == ["0.063", "12 of 14"]
    text = said(found)
    assert "counted on whole GPUs while an attempt ran, known of 12 of 14 attempts" in text
    assert "Where a process was killed, they end with what it read last." in text
    assert "It is not known what energy the GPUs of 2 attempts took." in text


def test_what_is_not_known_is_said_and_is_not_zero(make) -> None:
    before = [Spent("train", 3, 7200.0, 1, 65.0, on_gpus=3, unknown=3)]
    lacks = "It is not known how many GPUs 3 attempts had and what energy the GPUs of these took."
    assert lacks in said(report(make, before))
    mixed = [*before, Spent("sample", 1, 60.0, 0, 0.0, 1.5, 0.0, on_gpus=1)]
    found = report(make, mixed)
    assert [row[3] for row in cells_of(found, "tab-cost")["rows"]] == ["–", "1.5", "1.5"]
    assert "3 attempts had and what energy the GPUs of 4 attempts took." in said(found)
    assert "kWh" not in said(found)


def test_processors_have_no_energy_on_record_and_a_full_record_lacks_nothing(make) -> None:
    none = said(report(make, [Spent("train", 3, 60.0, 0, 0.0)]))
    assert "No attempt had a GPU, and the energy of processors is not recorded." in none
    whole = Spent("train", 1, 60.0, 0, 0.0, 1.0, 0.0, on_gpus=1, read=1, kept_kwh=0.3)
    found = report(make, [whole])
    assert cells_of(found, "tab-cost")["rows"][0][-2:] == ["0.0", "1 of 1"], "none was lost"
    assert "known of 1 of 1 attempt with GPUs" in said(found) and "not known" not in said(found)


def test_without_attempts_the_cost_is_not_known_and_not_zero(make) -> None:
    text = said(report(make, ()))
    assert "No attempt is on record, so what it cost is not known." in text
    assert "0 s" not in text
