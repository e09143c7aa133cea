"""What headers tell of the files that a study names, before anything is computed."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from harness.dispatch import headers
from harness.metrics.extractor_components import GlyphsCNN, Inception2015
from harness.metrics.label_free_components import RandomConvolutions


def statistics(path: Path, pool: int = 2048, spatial: int | None = 2023) -> Path:
    """Of ADM's shapes, all zero."""
    arrays = {"mu": np.zeros(pool), "sigma": np.zeros((pool, pool), np.float16)}
    if spatial is not None:
        arrays |= {"mu_s": np.zeros(spatial), "sigma_s": np.zeros((spatial, spatial), np.float16)}
    np.savez_compressed(path, **arrays)
    return path


@pytest.mark.slow
def test_statistics_of_the_extractors_features_are_no_problem(tmp_path: Path) -> None:
    assert headers.statistics_problem(statistics(tmp_path / "adm.npz"), Inception2015()) is None
    alone = statistics(tmp_path / "fid.npz", spatial=None)  # pytorch-fid's
    assert headers.statistics_problem(alone, Inception2015()) is None


def test_statistics_are_of_one_extractor_alone(tmp_path: Path) -> None:
    said = headers.statistics_problem(statistics(tmp_path / "adm.npz"), GlyphsCNN())
    assert "are of inception-2015 features, the extractor is glyphs-cnn" in str(said)


def test_what_the_verb_wrote_says_of_which_extractor_it_is(tmp_path: Path) -> None:
    about = np.array(json.dumps({"extractor": "random-conv"}))
    np.savez(tmp_path / "ours.npz", mu=np.zeros(64), sigma=np.eye(64), about=about)
    assert headers.statistics_problem(tmp_path / "ours.npz", RandomConvolutions()) is None
    said = headers.statistics_problem(tmp_path / "ours.npz", Inception2015())
    assert "of random-conv features, the extractor is inception-2015: make them anew" in str(said)
    np.savez(tmp_path / "odd.npz", about=np.array("no JSON"))
    assert "cannot be read" in str(
        headers.statistics_problem(tmp_path / "odd.npz", RandomConvolutions())
    )


def test_torch_fidelitys_statistics_are_a_file_of_torchs(tmp_path: Path) -> None:
    path = tmp_path / "stat-fid-2048.pt"
    path.write_bytes(b"PK\x03\x04 and more")
    assert headers.statistics_problem(path, Inception2015()) is None
    assert "are of inception-2015" in str(headers.statistics_problem(path, RandomConvolutions()))
    path.write_bytes(b"hello")
    assert "no file of torch's" in str(headers.statistics_problem(path, Inception2015()))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "are an empty file (0 bytes)"),
        (b"hello", "are no npz file, or one that is cut off"),
    ],
)
def test_statistics_that_are_no_npz_are_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "stats.npz"
    path.write_bytes(content)
    assert said in str(headers.statistics_problem(path, Inception2015()))


def test_statistics_cut_off_or_in_a_folder_are_refused(tmp_path: Path) -> None:
    whole = statistics(tmp_path / "adm.npz", 8, None)
    whole.write_bytes(whole.read_bytes()[:-40])
    assert "cut off" in str(headers.statistics_problem(whole, Inception2015()))
    assert "are a folder" in str(headers.statistics_problem(tmp_path, Inception2015()))
    member = tmp_path / "member.npz"
    with zipfile.ZipFile(member, "w") as archive:
        archive.writestr("mu.npy", b"not an array")
    assert "cannot be read" in str(headers.statistics_problem(member, Inception2015()))


def test_statistics_of_other_features_say_both_sizes(tmp_path: Path) -> None:
    said = headers.statistics_problem(statistics(tmp_path / "clip.npz", 768, None), Inception2015())
    assert "mu and sigma are 768 and 768 x 768, inception-2015 has 2,048 pool features" in str(said)
    np.savez(tmp_path / "images.npz", arr_0=np.zeros((2, 4, 4, 3), np.uint8))
    said = headers.statistics_problem(tmp_path / "images.npz", Inception2015())
    assert "have no mu and sigma (it holds arr_0)" in str(said)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.safetensors", b"", "empty file (0 bytes)"),
        ("a.safetensors", b"123", "no safetensors file, or one that is cut off"),
        ("a.safetensors", (1 << 40).to_bytes(8, "little") + b"{}", "cut off"),
        ("a.safetensors", (2).to_bytes(8, "little") + b"{{", "its header is damaged"),
        ("a.pth", b"<html>404</html>", "no file of torch's"),
        ("a.pt", b"", "empty file (0 bytes)"),
    ],
)
def test_weights_that_are_none_are_refused(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    assert said in str(headers.weights_problem(tmp_path / name))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.safetensors", (2).to_bytes(8, "little") + json.dumps({}).encode()),
        ("a.pth", b"PK\x03\x04"),
        ("a.pt", b"\x80\x02"),
        ("a.onnx", b"anything"),
    ],
)
def test_weights_that_may_be_some_are_left_to_who_loads_them(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    assert headers.weights_problem(tmp_path / name) is None


def test_a_folder_without_anything_in_it_holds_no_images(tmp_path: Path) -> None:
    assert "is empty" in str(headers.folder_problem(tmp_path))
    (tmp_path / "0.png").write_bytes(b"")
    assert headers.folder_problem(tmp_path) is None
    assert "empty file" in str(headers.folder_problem(tmp_path / "0.png"))
