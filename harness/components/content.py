"""Recognises a file by its first bytes, where it is not what its name says."""

from __future__ import annotations

from pathlib import Path

HEAD = 64  # bytes that tell
PDF, WEB_PAGE = "a PDF", "a web page: the download went wrong"  # also what a report is

# (where they stand, the bytes, what such a file is and what to do)
_SIGNS: tuple[tuple[int, bytes, str], ...] = (
    (
        0,
        b"version https://git-lfs",
        "a pointer of Git LFS, not the file itself: run `git lfs pull`",
    ),
    (0, b"<!doctype html", WEB_PAGE),
    (0, b"<html", WEB_PAGE),
    (0, b"<?xml", "an XML text"),
    (0, b"<svg", "an SVG drawing, which has no pixels"),
    (4, b"ftypavif", "an AVIF image: convert it to PNG"),
    (4, b"ftyphei", "a HEIC image: convert it to PNG"),
    (4, b"ftypmif1", "a HEIC or AVIF image: convert it to PNG"),
    (4, b"ftyp", "a video"),
    (0, b"\x1f\x8b", "compressed by gzip: unpack it first"),
    (0, b"\xfd7zxz\x00", "compressed by xz: unpack it first"),
    (0, b"\x28\xb5\x2f\xfd", "compressed by zstd: unpack it first"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it first"),
    (0, b"rar!", "a RAR archive: unpack it first"),
    (0, b"\x89hdf\r\n", "an HDF5 file"),
    (0, b"par1", "a Parquet file"),
    (0, b"%pdf", PDF),
    (0, b"\x93numpy", "one bare array (.npy)"),
)


def guess(head: bytes) -> str | None:
    """What a file with this beginning is, and what to do; None where that is unknown.

    >>> guess(b"<!DOCTYPE html><html>")
    'a web page: the download went wrong'
    >>> guess(b"") , guess(b"abc")
    ('empty (0 bytes): an interrupted copy or download', None)
    """
    if not head:
        return "empty (0 bytes): an interrupted copy or download"
    folded = head[:HEAD].lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    if not head.strip(b"\0"):
        return "nothing but zeros: an interrupted copy or download"
    for at, sign, what in _SIGNS:
        if folded[at : at + len(sign)] == sign:
            return what
    return None


def of_file(path: str | Path) -> str | None:
    """The same of a file; None where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return guess(file.read(HEAD))
    except OSError:
        return None
