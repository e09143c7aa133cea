"""`complexity`: counts beside the paper's numbers, as a table, CSV or JSON."""

from __future__ import annotations

import csv
import io
import json

import pytest

from harness.cli import main


@pytest.mark.slow
def test_json_gives_both_conventions_and_the_papers_value(capsys):
    assert main(["complexity", "DiT-S/8", "DiT-micro-S/2", "--json"]) == 0
    published, ours = json.loads(capsys.readouterr().out)
    assert published["tokens"] == 16
    assert published["params"] == 33_142_016
    assert published["gflops"] < published["gflops_paper"]
    assert (published["published_gflops"], published["published_params_m"]) == (0.36, 33)
    expected = 100 * (published["gflops"] / 0.36 - 1)
    assert published["difference_percent"] == pytest.approx(expected)
    assert ours["image_size"] == 8
    assert ours["published_gflops"] is None
    assert ours["difference_percent"] is None


def test_csv_has_a_header_and_a_line_per_model(capsys):
    assert main(["complexity", "DiT-S/8", "--csv", "--block", "in-context"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (row["model"], row["block"], row["published_gflops"]) == ("DiT-S/8", "in-context", "")


@pytest.mark.slow
def test_the_table_shows_each_size_at_the_image_size_asked_for(capsys):
    assert main(["complexity", "DiT-S/8", "--image-size", "512"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:4] == ["model", "image", "block", "tokens"]
    assert lines[1].split()[:4] == ["DiT-S/8", "512", "adaln-zero", "64"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["dit-xl/2"], "nearest names: DiT-XL/2"),
        (["--image-size", "100"], "nearest: 96 or 104"),
        (["ADM-256", "--image-size", "64"], "defined at 256 pixels"),
    ],
)
def test_bad_input_is_an_error_before_anything_is_printed(capsys, words, said):
    assert main(["complexity", "DiT-S/4", *words]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""


@pytest.mark.slow
def test_without_names_it_prints_tables_3_and_5_each_within_a_thousandth_or_rounding(capsys):
    assert main(["complexity", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len([row for row in rows if row["block"]]) == 16  # 19 rows, three of them longer runs
    assert {row["model"] for row in rows if not row["block"]} == {
        *("ADM-64", "ADM-128", "ADM-256", "ADM-512", "LDM-4", "LDM-8", "ADM-U-256", "ADM-U-512"),
        *("ADM-upsampler-256", "ADM-upsampler-512"),
    }
    for row in rows:
        rounding = 0.005 if row["block"] else 0.5
        off = abs(row["gflops"] - row["published_gflops"])
        assert off <= max(rounding, 0.001 * row["published_gflops"]), row
