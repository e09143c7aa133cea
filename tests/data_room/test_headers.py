"""Headers of tar files: as Python's tarfile reads them, once."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.data import headers
from harness.errors import BadInput

FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]
NAMES = st.text("abc.é-", min_size=1, max_size=12).filter(lambda n: n.strip(".") != "")


def write(path: Path, members: dict[str, bytes | None], form: int = tarfile.GNU_FORMAT) -> Path:
    """A tar of files; None is a folder."""
    with tarfile.open(path, "w", format=form) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            info.size = len(content or b"")
            tar.addfile(info, io.BytesIO(content or b""))
    return path


def as_tarfile_reads(path: Path) -> list[tuple[str, int, int, int]]:
    images, labels = [], {}
    with tarfile.open(path) as tar:
        for info in tar:
            if info.isfile() and info.name.endswith(".png"):
                images.append((info.name, info.offset_data, info.size))
            elif info.isfile() and info.name.endswith(".cls"):
                content = tar.extractfile(info)
                assert content is not None
                labels[headers._sample(info.name)] = int(content.read())
    return [(*i, labels.get(headers._sample(i[0]), headers.NO_LABEL)) for i in images]


@pytest.mark.slow
@given(
    st.dictionaries(NAMES, st.tuples(st.integers(0, 9000), st.integers(0, 999)), max_size=6),
    st.sampled_from(FORMATS),
    st.sampled_from(["", "n01/", "d/" * 60, "long" * 40 + "/"]),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_is_found_is_what_tarfile_finds(
    tmp_path: Path, samples: dict[str, tuple[int, int]], form: int, folder: str
) -> None:
    members: dict[str, bytes | None] = {}
    for k, (name, (size, label)) in enumerate(samples.items()):
        if k % 2:
            members[f"{folder}{k}"] = None
        members[f"{folder}{k}{name}.png"] = b"x" * size
        members[f"{folder}{k}{name}.cls"] = b" " * (size // 9) + str(label).encode()
    try:
        path = write(tmp_path / "a.tar", members, form)
    except ValueError:  # ustar takes no such name
        return
    assert headers.images_of(path) == as_tarfile_reads(path)


def test_links_and_devices_are_no_images(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name, kind in (("a.png", tarfile.SYMTYPE), ("b.png", tarfile.FIFOTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "c.png"
            tar.addfile(info)
        info = tarfile.TarInfo("c.png")
        info.size = 3
        tar.addfile(info, io.BytesIO(b"png"))
    assert [name for name, *_ in headers.images_of(tmp_path / "a.tar")] == ["c.png"]


def test_a_tar_without_its_end_is_refused_where_tarfile_reads_what_is_left(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tar", {"a.png": b"x" * 700, "a.cls": b"3"})
    whole = path.read_bytes()
    path.write_bytes(whole[: 512 * 5])  # header, 2 blocks, header, 1 block: no zeros follow
    with pytest.raises(BadInput, match=r"a\.tar has no end"):
        headers.images_of(path)
    path.write_bytes(whole[: 512 * 3 + 100])  # in the middle of a header
    with pytest.raises(BadInput, match=r"cut off or damaged at byte 1,536; copy it again"):
        headers.images_of(path)
    path.write_bytes(whole[:800])  # in the middle of an image
    with pytest.raises(BadInput, match=r"cut off at a\.png; copy it again"):
        headers.images_of(path)


def test_a_flipped_bit_in_a_header_is_not_believed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tar", {"a.png": b"x", "b.png": b"y"})
    damaged = bytearray(path.read_bytes())
    damaged[1024] ^= 1  # the second name; tarfile would end there and say nothing
    path.write_bytes(damaged)
    with pytest.raises(BadInput, match="cut off or damaged at byte 1,024"):
        headers.images_of(path)
    damaged[0] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(BadInput, match="cannot be read as a tar"):
        headers.images_of(path)


def test_a_label_beside_no_image_and_one_that_another_overrules_do_no_harm(tmp_path: Path) -> None:
    members = {"a.json": b'{"label": "cat"}', "a.cls": b"3", "a.png": b"x", "z.cls": b"what"}
    assert headers.images_of(write(tmp_path / "a.tar", dict(members)))[0][3] == 3


@pytest.mark.parametrize(
    ("label", "content"),
    [
        (".json", b'{"label": 2.7}'),
        (".json", b'{"label": 2.0}'),
        (".json", b'{"cls": true}'),
        (".json", b'{"label": Infinity}'),
        (".json", b'{"label": "1_0"}'),
        (".cls", b"99999999999999999999"),
        (".cls", b"-9223372036854775808"),  # how `Found` says that there is none
        (".cls", b"1_0"),
    ],
)
def test_what_is_no_integer_from_0_is_no_label(tmp_path: Path, label: str, content: bytes) -> None:
    path = write(tmp_path / "x.tar", {"a.png": b"x", f"a{label}": content})
    with pytest.raises(BadInput, match=r"x\.tar: a\.png has the label '.*'; labels are integers"):
        headers.images_of(path)


@pytest.mark.parametrize("content", [b'{"label": 3}', b'{"cls": "3"}', b"3"])
def test_a_json_gives_an_integer_or_its_digits(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path / "x.tar", {"a.png": b"x", "a.json": content})
    assert headers.images_of(path)[0][3] == 3


def test_a_sample_of_two_images_is_refused_as_one_may_be_a_mask(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tar", {"d/0.png": b"x", "d/0.seg.png": b"y", "d/0.cls": b"1"})
    words = r"x\.tar: the sample d/0 has two images, d/0\.png and d/0\.seg\.png"
    with pytest.raises(BadInput, match=words):
        headers.images_of(path)


def append(path: Path, member: str, content: bytes) -> None:
    with tarfile.open(path, "a") as tar:
        info = tarfile.TarInfo(member)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))


def test_a_sample_that_comes_twice_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tar", {"0.png": b"x", "0.cls": b"0"})
    append(path, "0.png", b"y")
    with pytest.raises(BadInput, match=r"x\.tar: the sample 0 has two images"):
        headers.images_of(path)
    append(path, "0.cls", b"1")
    with pytest.raises(BadInput, match=r"x\.tar: the sample 0 has two labels .*, 0 and 1"):
        headers.images_of(path)


def test_a_hard_link_is_the_file_it_names(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"picture")
    (tmp_path / "a.cls").write_bytes(b"4")
    for kind in ("png", "cls"):
        (tmp_path / f"b.{kind}").hardlink_to(tmp_path / f"a.{kind}")
    with tarfile.open(tmp_path / "x.tar", "w", format=tarfile.GNU_FORMAT) as tar:
        for name in ("a.png", "b.png", "a.cls", "b.cls"):
            tar.add(tmp_path / name, f"./{name}")
    one, other = headers.images_of(tmp_path / "x.tar")
    assert (one[0], other[0]) == ("./a.png", "./b.png")
    assert one[1:] == other[1:] and one[2:] == (7, 4)


def test_a_hard_link_to_nothing_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        info = tarfile.TarInfo("b.png")
        info.type, info.linkname = tarfile.LNKTYPE, "a.png"
        tar.addfile(info)
    with pytest.raises(BadInput, match=r"x\.tar: b\.png is a hard link to a\.png, which does not"):
        headers.images_of(tmp_path / "x.tar")


# --- the index ----------------------------------------------------------------------------------


def same(a: headers.Found, b: headers.Found) -> bool:
    return all(np.array_equal(getattr(a, c), getattr(b, c)) for c in a.__dataclass_fields__)


@pytest.fixture
def tars(tmp_path: Path) -> list[Path]:
    found = []
    for k in range(3):
        members = {f"é{k}{j}.{e}": d for j in range(k) for e, d in (("png", b"x"), ("cls", b"7"))}
        found.append(write(tmp_path / f"{k}.tar", dict(members)))
    return found


def test_headers_are_read_once(
    tars: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = tmp_path / "results" / "indexes"
    first = headers.read(tars, index)
    assert first.names() == ["é10.png", "é20.png", "é21.png"] == [first.name(k) for k in range(3)]
    assert first.tar.tolist() == [1, 2, 2] and first.labels.tolist() == [7, 7, 7]
    assert same(first, headers.read(tars))  # without an index
    monkeypatch.setattr(headers, "images_of", None)
    assert same(first, headers.read(tars, index))


def test_a_tar_that_changed_is_read_again(tars: list[Path], tmp_path: Path) -> None:
    assert len(headers.read(tars, tmp_path)) == 3
    write(tars[0], {"new.png": b"x", "new.cls": b"1"})
    assert len(headers.read(tars, tmp_path)) == 4
    assert len(headers.read(tars[:2], tmp_path)) == 2


def test_a_damaged_index_is_made_again(tars: list[Path], tmp_path: Path) -> None:
    index = tmp_path / "index"
    first = headers.read(tars, index)
    (kept,) = index.iterdir()
    for damage in (b"", b"PK\x03\x04 torn", kept.read_bytes()[:-200]):
        kept.write_bytes(damage)
        assert same(first, headers.read(tars, index))
    assert [p.name for p in index.iterdir()] == [kept.name]


def test_an_index_that_cannot_be_written_is_done_without(tars: list[Path], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    assert len(headers.read(tars, tmp_path / "file")) == 3


@pytest.mark.slow
def test_a_changed_byte_anywhere_in_the_index_changes_nothing(
    tars: list[Path], tmp_path: Path
) -> None:
    index = tmp_path / "index"
    first = headers.read(tars, index)
    (kept,) = index.iterdir()
    whole = kept.read_bytes()
    for place in range(0, len(whole), 5):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        kept.write_bytes(damaged)
        assert same(first, headers.read(tars, index))


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_a_tar_that_stops_between_two_members_is_refused(form: int, tmp_path: Path) -> None:
    """A copy that was cut off where a member begins: every header before it is right."""
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=form) as tar:
        for i in range(3):
            long = "n" * 120 if form != tarfile.USTAR_FORMAT else ""
            for ending, content in ((".png", b"an image" * 70), (".cls", b"1")):
                info = tarfile.TarInfo(f"{long}{i}{ending}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        whole = tar.offset
    with tarfile.open(path) as tar:
        cut = next(m for m in tar.getmembers() if m.name.endswith("2.png")).offset
    assert len(headers.images_of(path)) == 3
    content = path.read_bytes()
    for end in (cut, whole):  # with a member missing, and with none: nobody can tell
        path.write_bytes(content[:end])
        with pytest.raises(BadInput, match=r"a\.tar has no end .*head -c 1024 /dev/zero >> "):
            headers.images_of(path)
    path.write_bytes(content[:whole] + bytes(1024))  # as the message says
    assert len(headers.images_of(path)) == 3
