"""The paper's tables in their own shape: every row, no number of ours."""

from __future__ import annotations

import pytest

from harness import paper
from harness.report import published_tables
from harness.report.blocks import Table
from harness.report.wording import DASH

TABLES = [
    (published_tables.sizes, "table1_configs"),
    (published_tables.models, "table3_models"),
    (published_tables.decoders, "table4_decoders"),
    (published_tables.unets, "table5_unets"),
]


@pytest.mark.parametrize(("made", "source"), TABLES)
def test_every_row_of_the_paper_is_there_and_none_is_torn(made, source: str) -> None:
    table = made()
    assert isinstance(table, Table)
    assert len(table.rows) == len(paper.table(source))
    assert all(len(row) == len(table.align) for row in [*table.rows, *table.head])
    assert "Peebles and Xie" in "".join(str(c) for c in table.caption)


def test_numbers_are_as_the_paper_prints_them() -> None:
    rows = {row[0]: row for row in published_tables.sizes().rows}
    assert rows["DiT-XL"] == ["DiT-XL", "28", "1,152", "16", "29.1"]
    models = published_tables.models().rows
    assert models[0] == [
        "DiT-S/8", "256²", "8", "adaln-zero", "33 M", "0.36", "400K", "256", "153.60",
    ]  # fmt: skip
    assert [row[6] for row in models if row[1] == "512²"] == ["1301K", "3M"]
    assert published_tables.decoders().rows[0] == [
        "original", "2.46", "5.18", "271.56", "0.82", "0.57",
    ]  # fmt: skip
    unets = published_tables.unets().rows
    assert ["ADM", "256²", "1,120", DASH, "1,120"] in unets
    assert ["ADM-U", "512²", "307", "2,506", "2,813"] in unets


def test_rules_stand_where_the_block_or_the_image_changes() -> None:
    table = published_tables.models()
    for at in range(1, len(table.rows)):
        changed = table.rows[at][1:4:2] != table.rows[at - 1][1:4:2]
        assert (at in table.rules) == changed
