"""What a file is by its first bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.components.content import guess, of_file


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\n", "run `git lfs pull`"),
        (b"<!DOCTYPE HTML>", "a web page"),
        (b"\n  <html lang=en>", "a web page"),
        (b"\xef\xbb\xbf<svg xmlns", "an SVG drawing"),
        (b"\0\0\0\x20ftypavif\0\0", "an AVIF image"),
        (b"\0\0\0\x18ftypheic\0\0", "a HEIC image"),
        (b"\0\0\0\x18ftypmp42\0\0", "a video"),
        (b"\x1f\x8b\x08\0", "compressed by gzip"),
        (b"\xfd7zXZ\0\0", "compressed by xz"),
        (b"\x28\xb5\x2f\xfd\x04", "compressed by zstd"),
        (b"Rar!\x1a\x07", "a RAR archive"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (b"\x93NUMPY\x01", "one bare array"),
        (b"%PDF-1.7", "a PDF"),
        (b"", "empty (0 bytes)"),
        (bytes(64), "nothing but zeros"),
    ],
)
def test_what_is_known_is_told(head: bytes, said: str) -> None:
    assert said in str(guess(head))


@pytest.mark.parametrize("head", [b"PK\x03\x04", b"\x89PNG\r\n\x1a\n", b"study: a\n", b"\x80\x02}"])
def test_of_what_is_not_known_nothing_is_claimed(head: bytes) -> None:
    assert guess(head) is None


def test_a_file_is_told_by_its_beginning(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"<html>" + b"x" * 10_000)
    assert of_file(tmp_path / "x.png") == "a web page: the download went wrong"
    assert of_file(tmp_path / "none") is None and of_file(tmp_path) is None
