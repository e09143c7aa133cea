from __future__ import annotations

import gzip

import numpy as np
import pytest

from harness.data.images import Corrupt
from harness.data.shards import TarShards
from harness.errors import BadInput, Missing


def picture(k: int) -> np.ndarray:
    return np.full((6, 5, 3), 10 * k, np.uint8)


def test_images_and_labels_come_from_members_of_one_name(tmp_path, make_tar, encode_png) -> None:
    make_tar(
        tmp_path / "in-train-0000.tar",
        {
            "b/0002.x.png": encode_png(picture(2)),
            "b/0002.cls": b"7\n",
            "b/0002.json": {"label": 1},
            "a.json": {"label": 4, "filename": "whatever"},
            "a.png": encode_png(picture(1)),
        },
    )
    make_tar(tmp_path / "in-train-0001.tar", {"c.png": encode_png(picture(3)), "c.cls": b"0"})
    images = TarShards(tmp_path)
    assert [images[k][1] for k in range(3)] == [7, 4, 0]
    for k, value in enumerate((20, 10, 30)):
        np.testing.assert_array_equal(images[k][0], np.full((6, 5, 3), value))
    assert images.class_names == [str(k) for k in range(8)]
    assert len(TarShards(tmp_path, num_classes=1000).class_names) == 1000


def test_a_splits_own_tars_are_preferred(tmp_path, make_tar, encode_png) -> None:
    for name, label in (("in-train-0.tar", b"0"), ("in-val-0.tar", b"1")):
        make_tar(tmp_path / name, {"a.png": encode_png(picture(1)), "a.cls": label})
    assert [TarShards(tmp_path, split)[0][1] for split in ("train", "val")] == [0, 1]
    assert len(TarShards(tmp_path, "all")) == 2
    assert len(TarShards(tmp_path / "in-val-0.tar")) == 1


def test_class_archives_name_their_classes(tmp_path, make_tar, encode_png) -> None:
    for wnid in ("n02", "n01"):
        make_tar(tmp_path / f"{wnid}.tar", {f"{wnid}_5.JPEG": encode_png(picture(1), "JPEG")})
    images = TarShards(tmp_path)
    assert images.class_names == ["n01", "n02"]
    assert [images[k][1] for k in range(2)] == [0, 1]


@pytest.mark.parametrize(
    "members, problem",
    [
        ({"a.cls": b"0"}, "holds no images"),
        ({"a.png": b"x"}, "has no label"),
        ({"a.png": b"x", "a.cls": b"cat"}, "the label 'cat'"),
        ({"a.png": b"x", "a.cls": b"0", "b.png": b"x"}, "b.png has no label"),
        ({"a.png": b"x", "a.cls": b"-1"}, "the label '-1'; labels are integers from 0"),
        ({"a.png": b"x", "a.json": {"caption": "a cat"}}, "has no label"),
    ],
)
def test_tars_without_images_or_labels_are_refused(tmp_path, make_tar, members, problem) -> None:
    make_tar(tmp_path / "x.tar", members)
    with pytest.raises(BadInput, match=problem):
        TarShards(tmp_path)


def test_more_labels_than_classes_are_refused(tmp_path, make_tar) -> None:
    make_tar(tmp_path / "x.tar", {"a.png": b"x", "a.cls": b"5"})
    with pytest.raises(BadInput, match=r"labels 5 to 5; expected 0 to 4 \(data.num_classes\)"):
        TarShards(tmp_path, num_classes=5)


def test_an_empty_folder_is_missing_its_tars(tmp_path) -> None:
    with pytest.raises(Missing, match=r"no \.tar files"):
        TarShards(tmp_path)


def test_compressed_cut_off_and_false_tars_are_refused(tmp_path, make_tar, encode_png) -> None:
    whole = make_tar(
        tmp_path / "x.tar", {"a.cls": b"0", "a.png": encode_png(np.zeros((90, 90, 3), np.uint8))}
    ).read_bytes()
    (tmp_path / "x.tar").write_bytes(whole[:1700])
    with pytest.raises(BadInput, match=r"x\.tar (is cut off|cannot be read)"):
        TarShards(tmp_path)
    (tmp_path / "x.tar").write_bytes(b"hello" * 500)
    with pytest.raises(BadInput, match="cannot be read as a tar"):
        TarShards(tmp_path)
    (tmp_path / "x.tar").unlink()
    (tmp_path / "x.tar.gz").write_bytes(gzip.compress(whole))
    with pytest.raises(BadInput, match="is compressed"):
        TarShards(tmp_path)


def test_a_damaged_image_is_corrupt_and_the_others_are_read(tmp_path, make_tar, encode_png) -> None:
    make_tar(
        tmp_path / "x.tar",
        {"a.png": b"damaged", "a.cls": b"0", "b.png": encode_png(picture(1)), "b.cls": b"1"},
    )
    images = TarShards(tmp_path)
    with pytest.raises(Corrupt, match=r"x\.tar/a\.png"):
        images[0]
    assert images[1][1] == 1


def test_the_fingerprint_follows_the_members(tmp_path, make_tar, encode_png) -> None:
    def fingerprint(label: bytes) -> str:
        make_tar(tmp_path / "x.tar", {"a.png": encode_png(picture(1)), "a.cls": label})
        return TarShards(tmp_path, num_classes=5).fingerprint

    assert fingerprint(b"1") == fingerprint(b"1") != fingerprint(b"2")


@pytest.mark.parametrize(
    ("files", "train", "val"),
    [
        ("train-0 test-0", [0], [1]),  # test is for floors where there is no val
        ("part-0 val-0", [0], [1]),  # what is held out is not trained on
        ("train-0 extra-0", [0], [0]),
        ("train/0 val/0", [0], [1]),
        ("train/0 train/1", [0, 1], [0, 1]),  # no tars but those of training
        ("latest-0 other-0", [0, 1], [0, 1]),
    ],
)
def test_tars_of_two_splits_are_the_same_or_have_nothing_in_common(
    tmp_path, make_tar, encode_png, files, train, val
) -> None:
    for label, name in enumerate(files.split()):
        content = {f"{label}.png": encode_png(picture(1)), f"{label}.cls": b"%d" % label}
        make_tar(tmp_path / f"{name}.tar", content)
    for split, labels in (("train", train), ("val", val)):
        assert TarShards(tmp_path, split).labels.tolist() == labels


def test_members_that_are_images_of_other_kinds_are_counted(tmp_path, make_tar, encode_png) -> None:
    members = {"a.png": encode_png(picture(1)), "a.cls": b"0", "b.avif": b"x", "b.cls": b"0"}
    make_tar(tmp_path / "in-0.tar", members)
    for index in (None, tmp_path / "index", tmp_path / "index"):  # read, kept, and as it was kept
        images = TarShards(tmp_path, index=index)
        assert len(images) == 1 and images.passed_over == {".avif": 1}
        (note,) = images.notes
        assert "left out are 1 image of a kind that is not read (1 .avif)" in note
    del members["a.png"], members["a.cls"]
    make_tar(tmp_path / "in-0.tar", members)
    with pytest.raises(BadInput, match=r"its tar holds no images but 1 image of a kind"):
        TarShards(tmp_path)


def test_a_tar_in_capitals_is_told_how_to_be_called(tmp_path, make_tar, encode_png) -> None:
    make_tar(tmp_path / "A.TAR", {"a.png": encode_png(picture(1)), "a.cls": b"0"})
    with pytest.raises(Missing, match=r"end the name of A\.TAR in \.tar"):
        TarShards(tmp_path)
