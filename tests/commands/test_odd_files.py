"""Folders and archives from other systems, through encode and evaluate: litter is passed over, an
image is read, and anything else is named. No traceback, and no image lost without a word."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pets import make, study_of
from PIL import Image
from verbs import Said

from harness.errors import HarnessError
from harness.metrics.images import open_images

Make = Callable[[Path], Any]


def encoded(image: Image.Image, form: str = "PNG", **more: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **more)
    return buffer.getvalue()


def plain(mode: str = "RGB", colour: Any = (10, 20, 30), size: int = 12) -> Image.Image:
    return Image.new(mode, (size, size), colour)


def noise(size: int = 12) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


PNG = encoded(plain())
DEEP = encoded(Image.fromarray((np.arange(144).reshape(12, 12) * 400).astype(np.uint16)))
TURNED = Image.Exif()
TURNED[0x0112] = 6


def write(name: str | bytes, content: bytes = PNG) -> Make:
    def do(root: Path) -> None:
        path = os.path.join(os.fsencode(root), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)

    return do


def link(name: str, to: str) -> Make:
    return lambda root: os.symlink(to, root / name)


def outside(root: Path) -> None:
    """Three images in a folder elsewhere, which a link in a class folder names."""
    for i in range(3):
        write(f"more/{i}.png")(root.parent)
    os.symlink((root.parent / "more").absolute(), root / "a" / "more")


def several(*makes: Make) -> Make:
    def do(root: Path) -> None:
        for each in makes:
            each(root)

    return do


# case: (what is added to two images each of a and b; how many encode has then, or what it says; the
# same of evaluate)
FOLDERS: dict[str, tuple[Make, int | str, int | str]] = {
    "Thumbs.db": (several(write("a/Thumbs.db"), write("Thumbs.db")), 4, 4),
    "desktop.ini": (write("b/desktop.ini"), 4, 4),
    ".DS_Store": (several(write(".DS_Store"), write("a/.DS_Store")), 4, 4),
    "AppleDouble": (write("a/._0.png", b"\0\5\x16\7"), 4, 4),
    "__MACOSX": (several(write("__MACOSX/a/._0.png"), write("__MACOSX/a/0.png")), 4, 4),
    "@eaDir": (write("a/@eaDir/0.png"), 4, 4),
    "text": (write("a/notes.txt"), 4, "notes.txt is not an image"),
    "unknown image": (write("a/x.heic"), 4, "x.heic is not an image"),
    "empty class": (lambda root: (root / "c").mkdir(), "1 class folder holds no images (c)", 4),
    "name not UTF-8": (write(b"a/caf\xe9.png"), 5, 5),
    "class not UTF-8": (write(b"caf\xe9/0.png"), "has 3 classes", 5),
    "damaged, not UTF-8": (write(b"a/caf\xe9.png", b"x"), "a/caf", "cannot be read as an image"),
    "long name": (write("a/" + 250 * "x" + ".png"), 5, 5),
    "line break in a name": (write("a/x\ny.png"), 5, 5),
    "case alone": (several(write("a/x.png"), write("a/X.png"), write("a/x.PNG")), 7, 7),
    "link to nothing": (link("a/x.png", "/nowhere.png"), "No such file", "a link to nothing"),
    "class, a link to nothing": (link("c", "/nowhere"), "c is a link to nothing", "a link to no"),
    "link to a folder": (outside, 7, 7),
    "loop": (link("a/up", ".."), "are one folder", "a link to a folder that is read already"),
    "loop to itself": (link("a/self", "."), "are one folder", "is read already"),
    "link to another class": (link("a/b", "../b"), "are one folder", "is read already"),
    "pipe": (lambda root: os.mkfifo(root / "a" / "x.png"), "is not a file", "no file"),
    "folder named as an image": (write("a/x.png/0.png"), 5, 5),
    "16 bits": (write("a/x.png", DEEP), 5, "more than 8 bits per channel"),
    "palette": (write("a/x.png", encoded(plain("P", 3))), 5, 5),
    "black and white": (write("a/x.png", encoded(plain("1", 1))), 5, 5),
    "CMYK": (write("a/x.jpg", encoded(plain("CMYK", (1, 2, 3, 4)), "JPEG")), 5, 5),
    "gray and alpha": (write("a/x.png", encoded(plain("LA", (9, 50)))), 5, "partly transparent"),
    "turned by EXIF": (write("a/x.jpg", encoded(plain(), "JPEG", exif=TURNED)), 5, 5),
    "animated": (
        write("a/x.png", encoded(plain(), save_all=True, append_images=[plain(), noise()])),
        5,
        5,
    ),
    "0 bytes": (write("a/x.png", b""), "a/x.png", "x.png: cannot be read as an image"),
    "cut off": (write("a/x.png", encoded(noise())[:200]), "a/x.png", "cannot be read as an image"),
    "cut off JPEG": (
        write("a/x.jpg", encoded(noise(64), "JPEG")[:900]),
        "a/x.jpg",
        "12x12",  # of another size; headers are all that is read before
    ),
}


WRONG = {  # before anything is read: folders that disagree with the study's two classes
    "empty class": "images has 3 classes",
    "class not UTF-8": "images has 3 classes",
    "class, a link to nothing": "c is a link to nothing",
}


def count(store: Any) -> int:
    (key,) = store.committed(["encode"])
    return int(store.manifest("encode", key).facts["count"])


@pytest.mark.slow
@pytest.mark.parametrize("case", FOLDERS)
def test_folders(case: str, verb: Said, capfd: pytest.CaptureFixture[str]) -> None:
    add, trained, measured = FOLDERS[case]
    root = Path("images")
    for name in ("a/0.png", "a/1.png", "b/0.png", "b/1.png"):
        write(name)(root)
    add(root)
    study = study_of(root)
    code, refused = verb("validate", str(study))
    assert code == (2 if case in WRONG else 0) and WRONG.get(case, "") in refused
    if isinstance(trained, int):
        assert count(make(study, "encode")) == trained
        said = {
            "text": "1 file, not an image by name, passed over",
            "unknown image": "left out are 1 image of a kind that is not read",
        }
        if case in said:
            assert said[case] in capfd.readouterr().out
        assert verb("plan", str(study))[0] == 0
        assert verb("fingerprint", str(study), "--contents")[0] == 0
    else:
        with pytest.raises(HarnessError) as told:
            make(study, "encode")
        assert trained in str(told.value)
        verb("fingerprint", str(study))
    if isinstance(measured, int):
        images = open_images(root)
        assert sum(map(len, images.batches(3))) == images.count == measured
        assert len(images.sha256()) == 64
    else:
        with pytest.raises(HarnessError) as told:
            list(open_images(root).batches(3))
        assert measured in str(told.value)


def member(name: str, kind: bytes = tarfile.REGTYPE, to: str = "") -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, to
    return found


Members = list[tuple[str, bytes] | tarfile.TarInfo]
BASE: Members = [("0.png", PNG), ("0.cls", b"0"), ("1.png", PNG), ("1.cls", b"1")]
LONG = "d/" * 20 + "x" * 250
# case: (members, what encode has or says)
TARS: dict[str, tuple[Members, int | str]] = {
    "AppleDouble": ([("._0.png", b"\0\5\x16\7"), ("._0.cls", b"\0\5\x16")], 2),
    "__MACOSX": ([("__MACOSX/._0.png", b"x"), ("__MACOSX/0.png", PNG)], 2),
    "PaxHeader": ([("PaxHeader/0.png", b"30 mtime=1"), ("PaxHeaders.47/0.cls", b"x")], 2),
    "Thumbs.db": ([("Thumbs.db", b"x"), (".DS_Store", b"x"), ("a/desktop.ini", b"x")], 2),
    "one without a label": ([("2.png", PNG)], "2.png has no label; each needs"),
    "some without a label": (
        [(f"{i}.png", PNG) for i in range(2, 6)],
        "2.png has no label, and 3 other images have none",
    ),
    "absolute": ([("/2.png", PNG), ("/2.cls", b"1")], 3),
    "outside": ([("../2.png", PNG), ("../2.cls", b"1")], 3),
    "with and without ./": ([("./2.png", PNG), ("2.cls", b"1")], 3),
    "hard link": ([member("2.png", tarfile.LNKTYPE, "0.png"), ("2.cls", b"1")], 3),
    "hard link to nothing": (
        [member("2.png", tarfile.LNKTYPE, "9.png"), ("2.cls", b"1")],
        "2.png is a hard link to 9.png",
    ),
    "symbolic link": (
        [member("2.png", tarfile.SYMTYPE, "0.png"), ("2.cls", b"1")],
        "2.png is a link to 0.png; pack the tar again",
    ),
    "pipe": ([member("2.png", tarfile.FIFOTYPE), ("2.cls", b"1")], "2.png is a pipe or device"),
    "0 bytes": ([("2.png", b""), ("2.cls", b"1")], "2.png"),
    "cut off": ([("2.png", encoded(noise())[:200]), ("2.cls", b"1")], "2.png"),
    "long names": ([(f"{LONG}.png", PNG), (f"{LONG}.cls", b"1")], 3),
    "not UTF-8": ([("caf\udce9.png", PNG), ("caf\udce9.cls", b"1")], 3),
    "case alone": ([("A.png", PNG), ("A.cls", b"0"), ("a.png", PNG), ("a.cls", b"1")], 4),
    "the same name twice": ([("0.png", PNG)], "the sample 0 has two images"),
}


def more_behind(path: Path) -> None:
    """As `cat one.tar two.tar` makes it."""
    tar(BASE, path)
    other = [(f"9{name}", content) for name, content in BASE]  # type: ignore[misc]
    tar(other, path.with_name("other"))
    path.write_bytes(path.read_bytes() + path.with_name("other").read_bytes())
    path.with_name("other").unlink()


def hole(path: Path) -> None:
    """A copy whose third block on was never written."""
    tar(BASE, path)
    content = path.read_bytes()
    path.write_bytes(content[:1024] + bytes(1024) + content[2048:])


def tar(members: Members, path: Path, mode: str = "w") -> None:
    with tarfile.open(path, mode, format=tarfile.GNU_FORMAT) as out:  # type: ignore[call-overload]
        for each in members:
            if isinstance(each, tarfile.TarInfo):
                out.addfile(each)
            else:
                info = tarfile.TarInfo(each[0])
                info.size = len(each[1])
                out.addfile(info, io.BytesIO(each[1]))


def encode_says(path: Path, said: int | str) -> None:
    study = study_of(path, source="webdataset")
    if isinstance(said, int):
        assert count(make(study, "encode")) == said
        return
    with pytest.raises(HarnessError) as told:
        make(study, "encode")
    assert said in str(told.value)


@pytest.mark.parametrize("case", TARS)
def test_tars(case: str, verb: Said) -> None:
    members, said = TARS[case]
    tar([*BASE, *members], Path("pets.tar"))
    encode_says(Path("pets.tar"), said)


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("0.png", PNG)


def sparse(path: Path) -> None:
    """As GNU tar writes a file with a hole: an old-style sparse header."""
    info = member("2.png", tarfile.GNUTYPE_SPARSE)
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[386:398], header[398:410] = b"%011o\0" % 0, b"%011o\0" % len(PNG)
    header[483:495] = b"%011o\0" % (1 << 20)
    header[124:136] = b"%011o\0" % len(PNG)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    tar(BASE, path)
    content = path.read_bytes()[: 8 * 512]
    path.write_bytes(content + bytes(header) + PNG.ljust(512, b"\0") + bytes(1024))


# case: (file, how it is made, what encode says)
PACKED: dict[str, tuple[str, Make, str]] = {
    "gzip named tar": ("p.tar", lambda p: tar(BASE, p, "w:gz"), "p.tar is compressed by gzip"),
    "xz named tar": ("p.tar", lambda p: tar(BASE, p, "w:xz"), "p.tar is compressed by xz"),
    "zip named tar": ("p.tar", zipped, "p.tar is a zip archive"),
    "0 bytes": ("p.tar", lambda p: p.write_bytes(b""), "p.tar is empty (0 bytes)"),
    "sparse": ("p.tar", sparse, "2.png is stored with holes (sparse)"),
    "link to nothing": ("p.tar", lambda p: p.symlink_to("/nowhere"), "No such file or directory"),
    "tar.gz": ("p.tar.gz", lambda p: tar(BASE, p, "w:gz"), "is compressed and cannot be read"),
    "tar.bz2": ("p.tar.bz2", lambda p: tar(BASE, p, "w:bz2"), "is compressed and cannot be read"),
    "zip": ("p.zip", zipped, "is compressed and cannot be read"),
    "two, one after another": ("p.tar", more_behind, "more follows behind its end at byte"),
    "a hole": ("p.tar", hole, "more follows behind its end at byte 1,024, and would be lost"),
    "pipe": ("p.tar", lambda p: os.mkfifo(p), "p.tar is not a file"),
    "folder": ("p.tar", lambda p: p.mkdir(), "p.tar is not a file"),
    "twice, by a link": (
        "p.tar",
        several(lambda p: tar(BASE, p), lambda p: p.with_name("q.tar").symlink_to("p.tar")),
        "are one file (a link): its images would count twice",
    ),
    "a pointer": (
        "p.tar",
        lambda p: p.write_bytes(b"version https://git-lfs.github.com/spec/v1"),
        "it is a pointer of Git LFS",
    ),
    "gzip of no tar": ("p.tar", lambda p: p.write_bytes(gzip.compress(b"x")), "by gzip"),
}


@pytest.mark.parametrize("case", PACKED)
def test_packed_tars_are_named(case: str, verb: Said) -> None:
    name, write_to, said = PACKED[case]
    Path("tars").mkdir()
    write_to(Path("tars") / name)
    encode_says(Path("tars"), said)


def test_an_archive_where_a_folder_is_meant_is_named(verb: Said) -> None:
    zipped(Path("pets.zip"))
    with pytest.raises(HarnessError, match=r"pets\.zip is a file: data.path is the folder"):
        make(study_of(Path("pets.zip")), "encode")


@pytest.mark.parametrize("name", ["arr_0.npy", "arr_0"])
def test_an_npz_member_is_an_array_with_and_without_its_ending(name: str, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    np.save(buffer, images)
    with zipfile.ZipFile(tmp_path / "samples.npz", "w") as out:
        out.writestr(name, buffer.getvalue())
        out.writestr("__MACOSX/._arr_0.npy", b"\0\5\x16\7")
    found = open_images(tmp_path / "samples.npz")
    assert np.array_equal(np.concatenate(list(found.batches(3))), images)
