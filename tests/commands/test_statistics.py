"""`statistics`: a reference made once is the reference made anew."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import shlex
from pathlib import Path

import numpy as np
import pytest
import yaml

from harness.cli import main
from harness.metrics.reference import Reference


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for seed, name in enumerate(("samples", "real")):
        draws = np.random.default_rng(seed)
        np.savez(tmp_path / f"{name}.npz", draws.integers(0, 256, (80, 8, 8, 3), dtype=np.uint8))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def measured(reference: str, capsys: pytest.CaptureFixture[str]) -> dict:
    metrics = ("--metrics", "fd,sfd,precision,recall,cmmd,near_copies")
    words = ["evaluate", "samples.npz", reference, "--extractor", "random-conv", "--json", *metrics]
    assert main(words) == 0
    found: dict = json.loads(capsys.readouterr().out)
    return found


def test_numbers_against_the_file_are_those_against_the_images(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["statistics", "real.npz", "--extractor", "random-conv", "--output", "ref.npz"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "80 images through random-conv" in said and "80 kept singly" in said
    once, anew = measured("ref.npz", capsys), measured("real.npz", capsys)
    assert once["metrics"] == pytest.approx(anew["metrics"], rel=1e-9)
    assert once["provenance"]["reference_sha256"] in said
    assert not list(here.glob("*.partial"))


def test_what_it_prints_can_be_typed_and_pasted_whatever_the_path(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "my réf, 2: a.npz"
    words = ["statistics", "real.npz", "--extractor", "random-conv", "--output", name]
    assert main(words) == 0
    *_, use, section = capsys.readouterr().out.splitlines()
    assert shlex.split(use)[1:] == [
        *("python", "-m", "harness", "evaluate", "SAMPLES", name, "--extractor", "random-conv")
    ]
    found = yaml.safe_load(section.removeprefix("or in a study: reference: "))
    assert found["statistics"] == name and len(found["statistics_sha256"]) == 64


def test_a_full_disk_is_told_and_leaves_nothing(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def save(self: Reference, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Reference, "save", save)
    words = ["statistics", "real.npz", "--extractor", "random-conv", "--output", "ref.npz"]
    assert main(words) == 2
    assert "no space left while writing ref.npz" in capsys.readouterr().err
    assert sorted(p.name for p in here.iterdir()) == ["real.npz", "samples.npz"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (["--output", "ref.txt"], "statistics are an .npz file"),
        (["--output", "real.npz"], "is there already"),
        (["--output", "nowhere/ref.npz"], "there is no folder nowhere"),
        (["--recall-images", "-1"], "must be at least 0"),
        (["--extractor", "classifier"], "trained by a study's reference stage"),
        (["--seed", "-1"], "seed"),
    ],
)
def test_bad_input_writes_nothing(
    here: Path, changed: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    base = ["statistics", "real.npz", "--extractor", "random-conv", "--output", "ref.npz"]
    assert main([*base, *changed]) == 2
    assert said in capsys.readouterr().err
    assert not (here / "ref.npz").exists()


def test_another_extractor_than_the_statistics_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["statistics", "real.npz", "--extractor", "random-conv", "--output", "ref.npz"]
    assert main(words) == 0
    path = here / "ref.npz"
    content = dict(np.load(path))
    content["mu"] = content["mu"] + 1
    about = json.loads(str(content["about"])) | {"extractor": "clip"}
    np.savez(path, **{**content, "about": np.array(json.dumps(about))})
    assert main(["evaluate", "samples.npz", "ref.npz", "--extractor", "random-conv"]) == 2
    assert "made with clip" in capsys.readouterr().err


def test_images_can_be_brought_to_the_samples_size(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draws = np.random.default_rng(3)
    np.savez(here / "large.npz", draws.integers(0, 256, (40, 20, 16, 3), dtype=np.uint8))
    words = ["statistics", "large.npz", "--extractor", "random-conv", "--output", "ref.npz"]
    assert main([*words, "--resize", "8"]) == 0
    said = capsys.readouterr()
    assert "brought from 20x16 to 8x8" in said.err
    words = ["evaluate", "samples.npz", "--extractor", "random-conv", "--json", "--metrics", "fd"]
    assert main([*words, "ref.npz"]) == 0
    once = json.loads(capsys.readouterr().out)
    assert main([*words, "large.npz", "--resize", "8"]) == 0
    anew = json.loads(capsys.readouterr().out)
    assert once["metrics"] == pytest.approx(anew["metrics"], rel=1e-9)
    assert main([*words, "ref.npz", "--resize", "8"]) == 0
    assert "ref.npz holds statistics: they stay as they were made" in capsys.readouterr().err


def test_statistics_of_images_of_another_size_are_told(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draws = np.random.default_rng(3)
    np.savez(here / "large.npz", draws.integers(0, 256, (40, 7, 7, 3), dtype=np.uint8))
    make = ["statistics", "large.npz", "--extractor", "random-conv", "--output"]
    assert main([*make, "large-ref.npz"]) == 0
    assert main([*make, "same-ref.npz", "--resize", "8"]) == 0
    large = Reference.load(
        "large-ref.npz"
    )  # spatial features of one extractor tell the sizes apart
    dataclasses.replace(large, spatial=None).save("large-ref.npz")
    capsys.readouterr()
    other, same = measured("large-ref.npz", capsys), measured("same-ref.npz", capsys)
    said = "the samples have 8x8 pixels, the images of the reference's statistics had 7x7"
    assert said in other["notes"] and not any("pixels" in note for note in same["notes"])
    assert other["provenance"]["reference_image_size"] == [7, 7]
    assert same["provenance"]["reference_image_size"] == [8, 8]
