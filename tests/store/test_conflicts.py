"""When results folders meet: the same number twice is one, a contradiction is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.store import Store, frames, records
from harness.store.conflicts import contradiction
from harness.store.records import CorruptRecord, read_frames

KEY = "c" * 64
CPU, GPU = "AMD EPYC (2 cores)", "NVIDIA H100 80GB HBM3"


def row(value: float = 10.0, **more: Any) -> dict[str, Any]:
    return {"key": KEY, "metric": "fid", "model": "DiT-S/2", "value": value, "device": CPU, **more}


def spread(value: float, method: str) -> dict[str, Any]:
    return row(value, std=0.5, std_method=method, device=GPU)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (row(), row()),
        (row(), row(10.0 * (1 + 1e-6))),  # rounding
        (row(), row(host="another", commit="another", torch="2.11")),
        (row(data_sha256="a" * 64), row()),  # an older record does not say
        (row(10, std=0.5, device=GPU), row(12.8, std=0.5, device=GPU)),  # four errors: 2.83
        (row(10, std=0.5, device=GPU), row(12.8, std=0.5)),  # one of them on a CPU
        (row(10, device=GPU), row(12.8, device=GPU)),  # nothing says how far is far
        (
            spread(10, "standard deviation over 50 random subsets"),
            spread(90, "standard deviation over 50 random subsets"),
        ),  # no standard error
        (row(metric="is"), row(99.0)),  # another metric of the same stage
        (row(floor=2.0), row()),  # an older record has no floor
        (row(0.0), row(1e-10)),  # rounding about zero, where no share says how far is far
    ],
)
def test_the_same_number_is_no_contradiction(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert contradiction("metrics", [one], [other]) is None
    assert contradiction("metrics", [other], [one]) is None


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (row(data_sha256="a" * 64), row(data_sha256="b" * 64), "data_sha256 is aaaaaaaaaaaa in"),
        (row(extractor_sha256="a" * 64), row(extractor_sha256="b" * 64), "extractor_sha256"),
        (row(), row(10.01), "value is 10 in one and 10.01 in the other"),
        (row(10, std=0.5, device=GPU), row(12.9, std=0.5, device=GPU), "value is 10 in"),
        # a deviation over 10 chunks is three standard errors: 1.2 is past four
        (
            spread(10, "standard deviation over 10 chunks"),
            spread(11.2, "standard deviation over 10 chunks"),
            "value is 10 in",
        ),
        (row(floor=2.0), row(floor=2.1), "floor is 2 in one and 2.1 in the other"),
        (row(device=None), row(10.01, device=None), "value is 10 in"),  # as if on a CPU
    ],
)
def test_other_data_or_another_number_is_a_contradiction(
    one: dict[str, Any], other: dict[str, Any], said: str
) -> None:
    found = contradiction("metrics", [one], [other])
    assert found is not None and found.startswith("DiT-S/2 fid: ") and said in found


def test_a_metric_that_one_lacks_hides_no_contradiction_of_the_next() -> None:
    one, other = [row()], [row(metric="is"), row(12.0)]
    assert contradiction("metrics", one, other) == (
        "DiT-S/2 fid: value is 10 in one and 12 in the other"
    )
    assert contradiction("metrics", other, one) is not None


def test_the_step_that_differs_is_found_in_a_curve() -> None:
    curve = [{"key": KEY, "step": step, "loss": 1.0, "device": CPU} for step in (1, 2, 3)]
    off = [*curve[:2], {**curve[2], "loss": 2.0}]
    assert contradiction("training", curve, off) == "a model: loss is 1 in one and 2 in the other"
    assert contradiction("training", curve, curve[1:]) is None


def two_labs(root: Path, **other: Any) -> list[Path]:
    """Their records in one folder: both files are there, as names carry checksums."""
    folder = root / "records" / "metrics"
    records.write(root, "metrics", "a" * 64, [row(key="a" * 64)])
    return [
        records.write(root, "metrics", KEY, [row()]),
        records.write(root, "metrics", KEY, [row(**other)]),
        folder,
    ]


def test_a_contradiction_is_named_and_neither_number_is_shown(tmp_path: Path) -> None:
    one, other, _ = two_labs(tmp_path, data_sha256="b" * 64, value=12.0)
    with pytest.warns(CorruptRecord) as told:
        frame = read_frames(tmp_path)["metrics"]
    assert list(frame["key"]) == ["a" * 64]
    (text,) = [str(w.message) for w in told]
    assert one.name in text and other.name in text and "neither is shown" in text
    assert "value is 10 in one and 12" in text or "value is 12 in one and 10" in text
    other.unlink()
    assert len(read_frames(tmp_path)["metrics"]) == 2


@pytest.mark.slow
def test_where_an_artifact_is_here_its_number_is_shown(tmp_path: Path) -> None:
    store = Store(tmp_path)
    two_labs(tmp_path, value=12.0)
    rows = {"metrics": [row(12.0)]}
    store.commit("evaluate", KEY, store.staging(KEY), rows, {}, {"settings": {}})
    with pytest.warns(CorruptRecord, match="shown is what the artifact here says"):
        frame = read_frames(tmp_path)["metrics"]
    assert dict(zip(frame["key"], frame["value"], strict=True)) == {"a" * 64: 10.0, KEY: 12.0}
    before = sorted((tmp_path / "records" / "metrics").iterdir())
    assert frames.read(tmp_path, repair=True).frames["metrics"].equals(frame)
    assert sorted((tmp_path / "records" / "metrics").iterdir()) == before  # it is for a person


def test_copies_that_agree_are_one_number(tmp_path: Path) -> None:
    two_labs(tmp_path, host="another")
    assert len(list((tmp_path / "records" / "metrics").iterdir())) == 3
    assert list(read_frames(tmp_path)["metrics"]["key"]) == ["a" * 64, KEY]


def test_compacted_folders_that_meet_are_compared_as_well(tmp_path: Path) -> None:
    for name, value in (("one", 10.0), ("other", 12.0)):
        records.write(tmp_path / name, "metrics", KEY, [row(value)])
        records.write(tmp_path / name, "metrics", name[:1] * 64, [row(key=name[:1] * 64)])
        if name == "other":
            records.write(tmp_path / name, "metrics", "z" * 64, [row(key="z" * 64)])
        records.compact(tmp_path / name, above=0)
    for path in (tmp_path / "other" / "records" / "metrics").iterdir():
        path.rename(tmp_path / "one" / "records" / "metrics" / path.name)
    with pytest.warns(CorruptRecord, match="contradict each other about cccccccccccc"):
        frame = read_frames(tmp_path / "one")["metrics"]
    assert KEY not in set(frame["key"]) and "z" * 64 in set(frame["key"])
