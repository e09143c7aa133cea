"""Whatever is called .tar and is none is told by its first block."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from pathlib import Path

import pytest

from harness.data import not_tar
from harness.errors import BadInput


def a_tar(form: int = tarfile.GNU_FORMAT) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w", format=form) as tar:
        member = tarfile.TarInfo("\u00e9" * 40 + "0.cls")
        member.size = 1
        tar.addfile(member, io.BytesIO(b"0"))
    return held.getvalue()


def a_zip() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("0.cls", "0")
    return held.getvalue()


OTHERS = {
    "zip": (a_zip(), "is a zip archive, whatever its name says"),
    "7z": (b"7z\xbc\xaf\x27\x1c" + bytes(600), "is a 7z archive"),
    "rar": (b"Rar!\x1a\x07\x00" + b"x" * 600, "is a rar archive"),
    "gzip": (gzip.compress(a_tar()), "is compressed by gzip"),
    "xz": (lzma.compress(a_tar()), "is compressed by xz"),
    "bzip2": (bz2.compress(a_tar()), "is compressed by bzip2"),
    "page": (b"<!DOCTYPE html>" + b"x" * 600, "it is a web page: the download went wrong"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1", "a pointer of Git LFS"),
    "text": (b"labels, and no images\n" * 90, "cannot be read as a tar (invalid header)"),
    "cut": (a_tar()[:300], "cannot be read as a tar (truncated header)"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_a_file_of_another_kind_is_told_what_it_is(case: str, tmp_path: Path) -> None:
    content, said = OTHERS[case]
    path = tmp_path / "a.tar"
    path.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        not_tar.check_beginnings([path])
    assert said in str(caught.value) and str(path) in str(caught.value)


def test_tars_of_every_format_and_what_others_say_pass(tmp_path: Path) -> None:
    contents = [a_tar(form) for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT)]
    contents += [a_tar(tarfile.PAX_FORMAT), b"", bytes(10_240)]  # empty ones are told elsewhere
    tars = [tmp_path / f"{k}.tar" for k in range(len(contents))]
    for path, content in zip(tars, contents, strict=True):
        path.write_bytes(content)
    not_tar.check_beginnings([*tars, tmp_path, tmp_path / "absent.tar"])
    not_tar.check_beginnings([])
