"""`harness.load_results` and `harness.describe`: a study's rows, told apart and described."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from tiny_study import TINY

import harness
from harness.errors import BadInput
from harness.plan import make_plan
from harness.plan.index import index
from harness.store import Store, records, studies

RATES = TINY.replace(
    "model.patch_size: [8]", "train.learning_rate: [0.1, 1e-5]\n    seed: [1, 0]"
).replace("{family: DiT-micro}", "{family: DiT-micro, patch_size: 8}")


def recorded(root: Path, text: str, name: str = "rates", profile: str | None = None) -> Path:
    """The study's file; records of all that it measures, as its run would leave them."""
    path = root.parent / f"{name}.yaml"
    path.write_text(text.replace("study: tiny", f"study: {name}"))
    plan = make_plan(harness.load_study(path, profile))
    for m in plan.measurements:
        run = plan.study.runs[m.run]
        made = {"model": f"other-{run.model.label}", "seed": run.seed, "step": m.step}
        made |= {"gflops": 2.0 if run.model.facts["size"] == "B" else 1.0, "patch_size": 8}
        value = m.step + run.seed / 10
        row = {"key": m.evaluate, "metric": "fid", "value": value, "of": "samples", **made}
        row |= {"checkpoint_key": m.checkpoint, "learning_rate": run.train.learning_rate}
        records.write(root, "metrics", m.evaluate, [row])
        records.write(root, "runs", m.checkpoint, [{"key": m.checkpoint, **made}])
        curve = [{"key": m.checkpoint, "step": m.step, "loss": 1.0, "model": made["model"]}]
        records.write(root, "training", m.checkpoint, curve)
    studies.write(root, index(plan))
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.mark.slow
def test_a_studys_rows_have_its_words_and_its_axes_as_typed_columns(root: Path) -> None:
    path = recorded(root, RATES)
    records.write(root, "metrics", "f" * 64, [{"key": "f" * 64, "metric": "fid", "value": 9.0}])
    assert len(harness.load_results(root)["metrics"]) == 17
    for study in ("rates", "rates-laptop", path, str(path), harness.load_study(path)):
        frames = harness.load_results(root, study=study)
        metrics = frames["metrics"]
        assert len(metrics) == 16
        assert list(metrics.columns[:6]) == [
            *("study", "label", "evaluation", "model.size", "train.learning_rate", "key")
        ]
        assert metrics.dtypes["model.size"] == "string"
        assert metrics.dtypes["train.learning_rate"] == "Float64"
        assert set(metrics["evaluation"]) == {"final"} and set(metrics["study"]) == {"rates"}
        assert set(metrics["model"]) == {"DiT-micro-S/8", "DiT-micro-B/8"}
    told = metrics[["model.size", "train.learning_rate", "seed", "step"]].drop_duplicates()
    assert len(told) == 16  # a plot by these columns mixes nothing
    assert (metrics["learning_rate"] == metrics["train.learning_rate"]).all()
    assert {"label", "train.learning_rate"} <= {*frames["runs"]} & {*frames["training"]}


@pytest.mark.slow
def test_rows_are_sorted_by_axes_as_numbers(root: Path) -> None:
    recorded(root, RATES)
    metrics = harness.load_results(root, study="rates")["metrics"]
    order = metrics[["model.size", "train.learning_rate", "seed", "step"]].head(6)
    assert order.values.tolist() == [
        ["S", 1e-5, 0, 3],
        ["S", 1e-5, 0, 6],
        ["S", 1e-5, 1, 3],
        ["S", 1e-5, 1, 6],
        ["S", 0.1, 0, 3],
        ["S", 0.1, 0, 6],
    ]


@pytest.mark.slow
def test_the_spread_over_training_seeds_stands_beside_that_of_the_value(root: Path) -> None:
    recorded(root, RATES)
    metrics = harness.load_results(root, study="rates")["metrics"]
    assert (metrics["seeds"] == 2).all()
    assert metrics["seed_std"].to_numpy() == pytest.approx(pd.Series([0.0, 0.1]).std())
    recorded(root, RATES.replace("[1, 0]", "[1]"), "single")
    single = harness.load_results(root, study="single")["metrics"]
    assert (single["seeds"] == 1).all() and single["seed_std"].isna().all()


@pytest.mark.slow
def test_several_studies_stand_in_one_frame_with_their_names(root: Path) -> None:
    recorded(root, RATES)
    recorded(root, TINY, "sizes")
    frames = harness.load_results(root, study=["rates", "sizes"])
    metrics = frames["metrics"]
    assert metrics["study"].value_counts().to_dict() == {"rates": 16, "sizes": 4}
    own = metrics[metrics["study"] == "sizes"]
    assert own["train.learning_rate"].isna().all()
    assert set(metrics.attrs["axes"]) == {
        "model.size",
        "train.learning_rate",
        "seed",
        "model.patch_size",
    }
    assert metrics.attrs["study"] == ["rates", "sizes"]


def test_training_curves_say_which_model_they_are_of(root: Path) -> None:
    recorded(root, RATES)
    training = harness.load_results(root)["training"]
    assert set(training["gflops"]) == {1.0, 2.0} and set(training["patch_size"]) == {8}


@pytest.mark.slow
def test_records_alone_tell_a_studys_numbers(root: Path) -> None:
    """Shared without artifacts, and without the study's file."""
    recorded(root, RATES).unlink()
    assert not (root / "artifacts").exists()
    assert len(harness.load_results(root, study="rates")["metrics"]) == 16
    assert "study: rates" in studies.find(root, "rates").text


@pytest.mark.slow
def test_a_study_that_cannot_be_opened_here_is_read_as_it_was_run(root: Path) -> None:
    rates = recorded(root, RATES)
    before = harness.load_results(root, study="rates")["metrics"]
    text = rates.read_text()
    rates.write_text(text + "components: [absent.py]\n")
    with pytest.warns(UserWarning, match=r"(?s)absent\.py.*this is rates as it was run"):
        found = harness.load_results(root, study=rates)["metrics"]
    pd.testing.assert_frame_equal(found, before)
    rates.unlink()
    with pytest.warns(UserWarning, match="this is rates as it was run"):
        assert len(harness.load_results(root, study=rates)["metrics"]) == len(before)
    rates.write_text(text.replace("study: rates", "study: rates\nno_such: 1"))
    with pytest.raises(BadInput, match="no_such"):  # a mistake
        harness.load_results(root, study=rates)
    with pytest.raises(BadInput, match="nobody"):
        harness.load_results(root, study=rates.with_name("nobody.yaml"))


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nowhere is not there"):
        harness.load_results(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="file is not a folder"):
        harness.load_results(tmp_path / "file")


def test_an_empty_folder_gives_empty_frames_with_every_column(root: Path) -> None:
    root.mkdir()
    path = root.parent / "tiny.yaml"
    path.write_text(TINY)
    for study in (None, path):
        frames = harness.load_results(root, study=study)
        assert all(len(frame) == 0 for frame in frames.values())
        assert {"value", "std_df", "ceiling"} <= set(frames["metrics"])
        assert "gflops" in frames["training"]
    with pytest.raises(BadInput, match="no study 'scaling'"):
        harness.load_results(root, study="scaling")


@pytest.mark.slow
@pytest.mark.parametrize("table", ["runs", "metrics", "training"])
def test_every_column_has_a_meaning_in_describe_and_in_attrs(root: Path, table: str) -> None:
    recorded(root, RATES)
    described = harness.describe(table)
    assert (described["meaning"].str.len() > 0).all()
    frame = harness.load_results(root)[table]
    assert list(described.index) == list(frame.columns)
    assert frame.attrs["meaning"] == described["meaning"].to_dict()
    own = harness.load_results(root, study="rates")[table]
    assert set(own.columns) == set(own.attrs["meaning"])
    assert own.attrs["unit"]["gflops"] == "1e9 multiply-accumulates"


def test_a_table_that_nobody_has_is_refused() -> None:
    with pytest.raises(BadInput, match="no table 'metric'; there are runs, metrics, training"):
        harness.describe("metric")


@pytest.mark.slow
def test_a_committed_number_without_a_record_is_there(root: Path) -> None:
    recorded(root, RATES)
    store = Store(root)
    key = harness.load_results(root, study="rates")["metrics"]["key"][0]
    row = {"key": key, "metric": "fid", "value": 5.0, "of": "samples", "gflops": 1.0}
    store.commit("evaluate", key, store.staging(key), {"metrics": [row]}, {}, {"settings": {}})
    for path in (root / "records" / "metrics").glob(f"{key}*"):
        path.unlink()
    with pytest.warns(records.CorruptRecord, match="have no record"):
        frame = harness.load_results(root, study="rates")["metrics"]
    assert len(frame) == 16 and frame.set_index("key")["value"][key] == 5.0


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            lambda root: harness.load_results(5),
            "root is 5 \\(int\\): give the path of a results folder",
        ),
        (lambda root: harness.load_results(None), "root is None"),
        (lambda root: harness.load_results(""), "results folder '' is not"),
        (lambda root: harness.load_results([root]), "root is .* \\(list\\)"),
        (
            lambda root: harness.load_results(root, study=5),
            "study is 5 \\(int\\): give a name, the path",
        ),
        (lambda root: harness.load_results(root, study={"rates"}), "study is {'rates'} \\(set\\)"),
        (lambda root: harness.load_results(root, study=b"rates"), "study is b'rates' \\(bytes\\)"),
        (lambda root: harness.load_results(root, study=[5]), "study is 5 \\(int\\)"),
        (lambda root: harness.packages(5), "root is 5"),
        (
            lambda root: harness.describe(harness.load_results(root)["runs"]),
            "table is .* \\(DataFrame\\): give one",
        ),
        (
            lambda root: harness.describe(["runs"]),
            "table is \\['runs'\\] \\(list\\): give one of runs, metr",
        ),
    ],
)
def test_an_argument_of_another_type_is_told(
    root: Path, asked: Callable[[Path], object], said: str
) -> None:
    """These ended with AttributeError or TypeError of the code inside."""
    root.mkdir(exist_ok=True)
    (root / "records").mkdir(exist_ok=True)
    with pytest.raises(BadInput, match=said):
        asked(root)


def test_a_folder_without_results_is_not_empty_in_silence(tmp_path: Path) -> None:
    """`results/records`, or the folder that holds `results`, gave empty frames without a word."""
    with pytest.warns(UserWarning, match="holds no results: it has neither a folder records nor"):
        assert harness.load_results(tmp_path)["metrics"].empty
