"""What a report is made of: its date, and that its defaults say nothing."""

from __future__ import annotations

import datetime

import pytest

from harness.report.input import ReportInput


def given(timestamp: datetime.datetime | int) -> ReportInput:
    return ReportInput("s", "t", "p", (), {}, {}, timestamp)


@pytest.mark.parametrize(
    "timestamp",
    [
        1_700_000_000,
        datetime.datetime(2023, 11, 14, 22, 13, 20),  # a naive one is UTC
        datetime.datetime(2023, 11, 14, 22, 13, 20, 999, tzinfo=datetime.UTC),
        datetime.datetime(
            2023, 11, 15, 0, 13, 20, tzinfo=datetime.timezone(datetime.timedelta(hours=2))
        ),
    ],
)
def test_every_form_of_the_date_is_the_same_second_in_utc(
    timestamp: datetime.datetime | int,
) -> None:
    date = given(timestamp).date
    assert date == datetime.datetime(2023, 11, 14, 22, 13, 20, tzinfo=datetime.UTC)
    assert date.tzinfo == datetime.UTC


def test_what_is_not_given_is_empty_and_shared_with_nobody() -> None:
    one, two = given(0), given(0)
    assert one.claims is None and one.missing == () and not one.papers_own
    assert one.samples == {} and one.samples is not two.samples
