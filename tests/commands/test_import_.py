"""`import`: a foreign checkpoint becomes an artifact, is planned, sampled and measured."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest
from foreign_study import STUDY
from in_process import here_alone
from verbs import Said

from harness import load_results
from harness.cli import main


@pytest.fixture
def official(official: Path) -> Path:
    """The checkpoint, with a study of it beside."""
    (official.parent / "foreign.yaml").write_text(STUDY)
    return official


THEIRS = ("import", "theirs.pt", "--name", "theirs", "--heads", "2")


@pytest.mark.slow
def test_an_imported_checkpoint_is_sampled_and_measured(
    official: Path, verb: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, said = verb("plan", "foreign.yaml")
    assert code == 2
    assert "was not imported into this results folder" in said
    assert "python -m harness import FILE --name theirs" in said

    code, said = verb(*THEIRS, "--steps", "500")
    assert code == 0 and "3 blocks, width 32, 2 heads" in said
    assert "already there" in verb(*THEIRS, "--steps", "500")[1]

    plan = json.loads(verb("plan", "foreign.yaml", "--json")[1])
    trains = [s for s in plan["stages"] if s["kind"] == "train"]
    assert [s["state"] for s in trains] == ["done"]
    here_alone(monkeypatch)
    code, said = verb("run", "foreign.yaml")
    assert code == 0, said
    metrics = load_results(official.parent / "results")["metrics"]
    rows = metrics[(metrics["of"] == "samples") & (metrics["metric"] == "fd_glyphs_cnn")]
    assert list(rows["model"]) == ["theirs"] and list(rows["step"]) == [500]
    assert rows["seed"].isna().all()  # not known, so not invented
    assert (official.parent / "reports" / "foreign.pdf").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nowhere.pt", "--name", "x"], "nowhere.pt"),
        (["theirs.pt", "--name", "x"], "heads"),  # neither in the file nor in the zoo
        (["theirs.pt", "--name", "../x", "--heads", "2"], "--name"),
        (["foreign.yaml", "--name", "x", "--heads", "2"], "foreign.yaml"),
    ],
)
def test_what_cannot_be_imported_says_why(
    official: Path, verb: Said, arguments: list[str], expected: str
) -> None:
    code, said = verb("import", *arguments)
    assert code == 2 and expected in said


def test_an_archive_that_may_not_be_read_is_not_called_something_else(
    tmp_path: Path, verb: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "theirs.tar").write_bytes(b"x")
    opened = Path.open

    def refused(path: Path, *given: Any, **more: Any) -> Any:
        if path.name == "theirs.tar":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, *given, **more)

    monkeypatch.setattr(Path, "open", refused)
    code, said = verb("import", str(tmp_path / "theirs.tar"))
    assert code == 2 and "theirs.tar cannot be read: Permission denied" in said


@pytest.mark.slow
def test_a_checkpoint_that_does_not_fit_the_data_is_refused(official: Path, verb: Said) -> None:
    verb(*THEIRS)
    code, said = verb("plan", "foreign.yaml", "--set", "data.channels=3")
    assert code == 2 and "takes 1x8x8 inputs" in said
    assert said.startswith("error: --set data.channels=3: "), said


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["--steps", "0"], "--steps 0: it must be at least 1"),
        (["--diffusion-steps", "20"], "--diffusion-steps 20: it must be at least 21"),
        (["--heads", "0"], "--heads 0"),
        (["--name", "x" * 81], "80 of them at most"),
    ],
)
def test_numbers_and_names_that_no_study_could_use_are_refused_first(
    official: Path, capsys: pytest.CaptureFixture[str], more: list[str], expected: str
) -> None:
    assert main(["import", str(official), "--name", "theirs", "--heads", "2", *more]) == 2
    assert expected in capsys.readouterr().err


@pytest.mark.slow
def test_a_name_that_is_taken_leaves_nothing_behind(
    official: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(official.parent)
    assert main(["validate", "foreign.yaml"]) == 0
    assert "1 run, theirs not imported into results yet" in capsys.readouterr().out
    command = ["import", str(official), "--name", "theirs", "--heads", "2"]
    assert main(command) == 0
    assert main(["validate", "foreign.yaml"]) == 0
    assert "stages" in capsys.readouterr().out
    assert main([*command, "--steps", "7"]) == 2  # another artifact: its records say so
    assert "names another checkpoint already" in capsys.readouterr().err
    assert len(list(Path("results/artifacts/train").iterdir())) == 1


PUBLISHED = """\
study: published
title: A published checkpoint
about: For tests.
data: {{name: photographs, source: image-folder, path: images, image_size: 64, num_classes: 10}}
autoencoder: {{name: sd-vae}}
model: {{checkpoint: {file}}}
objective: {objective}
reference: {{extractor: inception-2015, images: 60}}
evaluations:
  euler: {{sampler: flow-euler, sampling_steps: 3, samples: 40, split_size: 40, metrics: [fd]}}
dispatch: {{executor: local, device: cpu}}
profiles: {{laptop: {{}}}}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "objective"),
    [
        ("uvit", "{name: flow, time_scale: 999.0}"),
        ("sit", "{name: flow, spare_channels: true}"),
        ("lightningdit_full", "flow"),
    ],
)
def test_published_checkpoints_of_other_families_are_imported_and_planned(
    verb: Said, study: Path, file: str, objective: str
) -> None:
    published = Path(__file__).parents[1] / "data" / "tenants" / f"{file}.pt"
    code, told = verb(
        "import", str(published), "--name", file, "--heads", "2", "--objective", objective
    )
    assert code == 0, told
    (study.parent / "published.yaml").write_text(PUBLISHED.format(file=file, objective=objective))
    code, told = verb("plan", "published.yaml", "--json")
    assert code == 0, told
    assert '"kind": "sample"' in told
    other = PUBLISHED.format(file=file, objective="{name: flow, shift: 2.0}")
    (study.parent / "published.yaml").write_text(other)
    code, told = verb("plan", "published.yaml")
    assert code == 2
    assert "its samples would not be what the study means" in told


def test_an_objective_that_the_checkpoint_was_not_trained_for_is_refused(
    verb: Said, study: Path
) -> None:
    published = Path(__file__).parents[1] / "data" / "tenants" / "uvit.pt"
    code, told = verb("import", str(published), "--name", "u", "--heads", "2")
    assert code == 2
    assert "returns 4 channels for 4, the objective ddpm needs 8" in told
