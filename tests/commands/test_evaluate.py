"""`evaluate`: values under their names, what is not measured, settings refused in words."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_extractor import known, make_tiny

from harness.commands import evaluate
from harness.data.crop import centre_crop
from harness.errors import BadInput
from harness.metrics.names import metric_names


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    with known(make_tiny()):
        yield


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    evaluate.add_arguments(parser)
    return evaluate.run(parser.parse_args(list(arguments)))


@pytest.mark.slow
def test_it_prints_each_value_under_its_name(two_sets, capsys):
    assert run(*two_sets, "--extractor", "tiny-test", "--split-size", "10") == 0
    out, err = capsys.readouterr()
    for name in ("fd_tiny_test", "sfd_tiny_test", "is_tiny_test", "precision_tiny_test"):
        assert f"{name} " in out
    assert "20 samples against 20 reference images" in out
    assert "samples" in err  # the progress bar


@pytest.mark.slow
def test_json_is_all_of_stdout_and_carries_the_provenance(two_sets, capsys):
    assert run(*two_sets, "--extractor", "tiny-test", "--json", "--metrics", "fd,recall") == 0
    result = json.loads(capsys.readouterr().out)
    assert list(result["metrics"]) == ["fd_tiny_test", "recall_tiny_test"]
    assert result["provenance"]["extractor"] == "tiny-test"


def test_what_is_not_measured_is_noted_on_stderr(two_sets, capsys):
    assert run(*two_sets, "--extractor", "tiny-test") == 0
    out, err = capsys.readouterr()
    assert "is_tiny_test" not in out
    assert "note: is_tiny_test is not measured: 20 samples in chunks of 5000" in err
    assert run(*two_sets, "--extractor", "tiny-test", "--metrics", "is") == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["--k", "0"], "--k must be at least 1, got 0"),
        (["--kid-subset-size", "1"], "--kid-subset-size must be at least 2, got 1"),
        (["--seed", "-1"], "--seed must be at least 0"),
        (["--subsets", "1"], "a spread needs 2 random halves"),
        (["--metrics", "fid"], r"unknown metric fid \(did you mean 'fd'\?\); there are: fd"),
        (["--metrics", " , "], "--metrics names none"),
        (["--extractor", "vgg"], "unknown extractor 'vgg'; there are: inception-2015, "),
        (["--device", "gpu"], "--device is cpu or cuda .* got 'gpu'"),
        (["--device", "mps"], "--device is cpu or cuda .* got 'mps'"),
        (["--device", "cuda"], "torch sees no NVIDIA GPU here"),
    ],
)
def test_bad_settings_are_refused_in_words(two_sets, settings, message, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BadInput, match=message) as caught:
        run(*two_sets, "--extractor", "tiny-test", *settings)
    assert " against " not in str(caught.value)  # the files are not to blame


def test_images_of_any_size_are_measured_at_the_size_that_is_asked_for(tmp_path, capsys):
    for seed, name in enumerate(("samples", "real")):
        folder = tmp_path / name
        folder.mkdir()
        draws = np.random.default_rng(seed)
        for i in range(6):
            pixels = draws.integers(0, 256, (16 + i, 20, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{i}.png")
    words = [str(tmp_path / "samples"), str(tmp_path / "real"), "--extractor", "tiny-test"]
    with pytest.raises(BadInput, match="brought to one by --resize PIXELS"):
        run(*words)
    assert run(*words, "--resize", "8", "--metrics", "fd", "--json") == 0
    out, err = capsys.readouterr()
    result = json.loads(out)
    made = result["provenance"]
    assert made["resized_to"] == 8
    assert made["image_size"] == made["reference_image_size"] == [8, 8]
    assert "real: brought from 6 sizes, 16x20 to 21x20 to 8x8 by ADM's centre crop" in err
    # What is compared are the images that a study of 8 x 8 pixels has.
    for name in ("samples", "real"):
        files = sorted((tmp_path / name).iterdir())
        images = np.stack([centre_crop(np.asarray(Image.open(f)), 8) for f in files])
        np.savez(tmp_path / f"{name}.npz", images)
    words[:2] = [str(tmp_path / "samples.npz"), str(tmp_path / "real.npz")]
    assert run(*words, "--metrics", "fd", "--json") == 0
    plain = json.loads(capsys.readouterr().out)
    assert plain["metrics"] == result["metrics"] and plain["provenance"]["resized_to"] is None
    assert plain["provenance"]["reference_sha256"] != made["reference_sha256"]


def test_a_size_that_is_none_is_refused(two_sets):
    for size in ("0", "-3", "100000"):
        with pytest.raises(BadInput, match="--resize must be between 1 and 4,096"):
            run(*two_sets, "--extractor", "tiny-test", "--resize", size)


def test_every_metric_can_be_asked_for(two_sets, capsys):
    names = ["kid", "density", "coverage", "fd_infinity"]
    settings = ["--kid-subset-size", "10", "--kid-subsets", "4", "--k-density", "2", "--seed", "3"]
    assert run(*two_sets, "--extractor", "tiny-test", "--json", f"--metrics={','.join(names)}") == 0
    default = json.loads(capsys.readouterr().out)
    assert list(default["metrics"]) == ["density_tiny_test", "coverage_tiny_test"]
    (refused,) = [note for note in default["notes"] if "kid" in note]
    assert "100 subsets of 1,000 images cannot be drawn of 20 generated" in refused
    run(*two_sets, "--extractor", "tiny-test", "--json", f"--metrics={','.join(names)}", *settings)
    details = json.loads(capsys.readouterr().out)["details"]
    assert details["kid_tiny_test"]["subset_size"] == 10
    assert (details["kid_tiny_test"]["subsets"], details["kid_tiny_test"]["seed"]) == (4, 3)
    assert details["density_tiny_test"]["k"] == details["coverage_tiny_test"]["k"] == 2


def test_copies_of_mirror_images_are_looked_for_by_an_option(tmp_path, capsys):
    draws = np.random.default_rng(0)
    real = draws.integers(0, 256, (60, 2, 2, 3), dtype=np.uint8).repeat(4, axis=1).repeat(4, axis=2)
    np.savez(tmp_path / "real.npz", real)
    np.savez(tmp_path / "samples.npz", real[:20, :, ::-1])
    words = [str(tmp_path / "samples.npz"), str(tmp_path / "real.npz"), "--extractor", "tiny-test"]
    words += ["--metrics", "near_copies", "--json"]
    shares = []
    for more in ([], ["--near-copies-mirrored"]):
        assert run(*words, *more) == 0
        shares.append(json.loads(capsys.readouterr().out)["metrics"]["near_copies_tiny_test"])
    assert shares[0] < 0.2 and shares[1] == 1.0


@pytest.mark.slow
def test_all_stands_for_every_metric_and_each_absence_is_said_once(two_sets, capsys):
    """random-conv gives no class probabilities: that, and no chunk size, is why there is no IS."""
    assert run(*two_sets, "--extractor", "random-conv", "--json", "--metrics", "fd,all") == 0
    found = json.loads(capsys.readouterr().out)
    absent = [note.split(" is not measured: ")[0] for note in found["notes"] if "not meas" in note]
    assert len(absent) == len(set(absent)) and "is_random_conv" in absent
    asked = {name.removesuffix("_random_conv") for name in [*absent, *found["metrics"]]}
    assert asked == set(metric_names())


def test_refused_input_leaves_no_trace_of_a_progress_bar(two_sets, tmp_path, capsys):
    np.savez(tmp_path / "bad.npz", images=np.zeros(3))
    with pytest.raises(BadInput):
        run(str(tmp_path / "bad.npz"), two_sets[1], "--extractor", "tiny-test")
    assert capsys.readouterr() == ("", "")


@pytest.mark.slow
def test_the_help_imports_neither_torch_nor_numpy():
    code = (
        "import argparse, sys\nfrom harness.commands import evaluate\n"
        "p = argparse.ArgumentParser()\nevaluate.add_arguments(p)\np.format_help()\n"
        "sys.exit(bool({'torch', 'numpy'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
