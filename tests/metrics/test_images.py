from __future__ import annotations

import errno
import io
import os
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.errors import BadInput, Missing
from harness.metrics import images
from harness.metrics.images import open_images


def random_images(count: int, seed: int = 0, size: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def save_folder(path: Path, images: np.ndarray, suffix: str = ".png") -> Path:
    path.mkdir(exist_ok=True)
    for i, image in enumerate(images):
        Image.fromarray(image).save(path / f"{i:05d}{suffix}")
    return path


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_npz_is_read_in_order_and_in_batches(tmp_path, save):
    images = random_images(11)
    save(tmp_path / "samples.npz", images)
    found = open_images(tmp_path / "samples.npz")
    assert found.count == 11 and found.size == (8, 8)
    batches = list(found.batches(4))
    assert [len(b) for b in batches] == [4, 4, 3]
    np.testing.assert_array_equal(np.concatenate(batches), images)


def test_gray_images_keep_their_one_channel(tmp_path):
    np.savez(tmp_path / "gray.npz", random_images(5)[..., :1])
    (batch,) = open_images(tmp_path / "gray.npz").batches(9)
    np.testing.assert_array_equal(batch, random_images(5)[..., :1])


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path):
    images = random_images(5)
    save_folder(tmp_path / "samples", images)
    found = open_images(tmp_path / "samples")
    np.testing.assert_array_equal(np.concatenate(list(found.batches(2))), images)
    assert found.notes == ()


def test_the_checksum_follows_the_content_alone(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        np.savez(tmp_path / f"{name}.npz", random_images(3, seed))
        save_folder(tmp_path / name, random_images(3, seed))
    folders = [open_images(tmp_path / name).sha256() for name in "abc"]
    assert folders[0] == folders[1] != folders[2]
    assert open_images(tmp_path / "a.npz").sha256() != open_images(tmp_path / "c.npz").sha256()


def test_lossy_images_are_noted(tmp_path):
    save_folder(tmp_path, random_images(3), suffix=".jpg")
    assert "3 of 3 images are lossy" in open_images(tmp_path).notes[0]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": random_images(4)}, r"no array 'arr_0' in it \(it holds images\)"),
        ({"mu": np.zeros(2), "sigma": np.eye(2)}, r"mu and sigma are taken as inception-2015's"),
        ({"arr_0": random_images(4) / 255}, "dtype float64, but images must be uint8"),
        (
            {"arr_0": random_images(4).transpose(0, 3, 1, 2)},
            r"shape \(4, 3, 8, 8\) looks like NCHW",
        ),
        ({"arr_0": random_images(4)[..., [0, 1, 2, 0]]}, r"drop the alpha channel"),
        ({"arr_0": np.zeros((4, 0, 8, 3), np.uint8)}, r"shape \(4, 0, 8, 3\), but images must be"),
        ({"arr_0": random_images(1)}, "1 image;.*at least 2"),
        ({"arr_0": random_images(4)[0]}, r"must be \(N, H, W, 3\)"),
        ({"arr_0": np.asfortranarray(random_images(4))}, "Fortran order"),
        ({"arr_0": np.array(["a", "b"])}, r"must be \(N, H, W, 3\)"),
    ],
)
def test_an_npz_that_cannot_be_used_is_refused_before_any_work(tmp_path, arrays, message):
    path = tmp_path / "bad.npz"
    np.savez(path, **arrays)
    with pytest.raises(BadInput, match=message) as error:
        open_images(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_a_truncated_npz_is_refused_in_words(tmp_path, kept):
    path = tmp_path / "cut.npz"
    np.savez(path, random_images(50))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(BadInput, match="not a complete npz file"):
        open_images(path)


def test_an_npz_whose_array_is_shorter_than_it_says_is_refused(tmp_path):
    path, buffer = tmp_path / "short.npz", io.BytesIO()
    np.save(buffer, random_images(50))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("arr_0.npy", buffer.getvalue()[:-100])
    with pytest.raises(BadInput, match="100 bytes of images are missing"):
        open_images(path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_npz_is_refused_in_words_when_it_is_read(tmp_path, save):
    path = tmp_path / "damaged.npz"
    save(path, random_images(500))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(BadInput, match=r"damaged\.npz: not a complete npz file"):
        list(open_images(path).batches(8))


@pytest.mark.slow
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_large_npz_is_never_in_memory_as_a_whole(tmp_path, save):
    save(tmp_path / "large.npz", np.zeros((2000, 64, 64, 3), np.uint8))  # 24.6 MB
    tracemalloc.start()
    images = open_images(tmp_path / "large.npz")
    assert sum(len(batch) for batch in images.batches(16)) == 2000 and images.sha256()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4e6


def test_a_bare_array_says_how_to_save_it(tmp_path):
    np.save(tmp_path / "images.npy", random_images(4))
    with pytest.raises(BadInput, match=r"one bare array; save it with np\.savez"):
        open_images(tmp_path / "images.npy")


def test_a_text_file_in_a_folder_is_named(tmp_path):
    save_folder(tmp_path, random_images(3))
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(BadInput, match=r"notes\.txt is not an image"):
        open_images(tmp_path)


def test_a_text_file_that_calls_itself_an_image_is_named(tmp_path):
    save_folder(tmp_path, random_images(3))
    (tmp_path / "9.png").write_text("hello")
    with pytest.raises(BadInput, match=r"9.png: cannot be read as an image"):
        list(open_images(tmp_path).batches(8))


def test_images_that_eight_bits_of_red_green_and_blue_cannot_hold_are_refused(tmp_path):
    save_folder(tmp_path, random_images(3))
    deep = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000
    Image.fromarray(deep).save(tmp_path / "9.png")
    with pytest.raises(BadInput, match=r"9\.png: more than 8 bits per channel"):
        list(open_images(tmp_path).batches(8))
    Image.fromarray(random_images(1)[0][..., [0, 1, 2, 0]]).save(tmp_path / "9.png")
    with pytest.raises(BadInput, match=r"9\.png: partly transparent"):
        list(open_images(tmp_path).batches(8))


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "1"])
def test_gray_palette_and_opaque_images_are_read_as_red_green_and_blue(tmp_path, mode):
    black_and_white = (random_images(3)[..., :1] > 128).repeat(3, axis=3) * np.uint8(255)
    for i, image in enumerate(black_and_white):
        Image.fromarray(image).convert(mode).save(tmp_path / f"{i}.png")
    (batch,) = open_images(tmp_path).batches(8)
    np.testing.assert_array_equal(batch, black_and_white)


def test_images_of_several_sizes_are_refused(tmp_path):
    save_folder(tmp_path, random_images(3))
    Image.new("RGB", (9, 7)).save(tmp_path / "z.png")
    with pytest.raises(BadInput, match=r"z\.png: 7x9 pixels, but 00000\.png has 8x8"):
        list(open_images(tmp_path).batches(8))


def test_nothing_there_says_what_was_expected(tmp_path):
    with pytest.raises(Missing, match="expected an npz file with arr_0, or a folder"):
        open_images(tmp_path / "absent.npz")
    with pytest.raises(BadInput, match="0 images"):
        open_images(tmp_path)
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(BadInput, match="not a complete npz file"):
        open_images(tmp_path / "text.npz")


def test_hidden_folders_are_no_images_and_links_are_followed(tmp_path):
    folder = save_folder(tmp_path / "set", random_images(3))
    (folder / ".ipynb_checkpoints").mkdir()
    save_folder(folder / ".ipynb_checkpoints", random_images(1))
    other = save_folder(tmp_path / "other", random_images(2))
    (folder / "z").symlink_to(other)
    assert open_images(folder).count == 5
    (folder / "again").symlink_to(other)
    with pytest.raises(BadInput, match="a link to a folder that is read already"):
        open_images(folder)
    (folder / "again").unlink()
    (folder / "gone.png").symlink_to(tmp_path / "nothing.png")
    with pytest.raises(BadInput, match=r"gone\.png: a link to nothing"):
        open_images(folder)


def test_what_a_header_tells_is_refused_before_any_image_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "_read_image", lambda path: pytest.fail("read"))
    save_folder(tmp_path, random_images(3))
    Image.new("RGB", (9, 7)).save(tmp_path / "z.png")
    with pytest.raises(BadInput, match=r"z\.png: 7x9 pixels, but 00000\.png has 8x8"):
        open_images(tmp_path)
    (tmp_path / "z.png").write_bytes(deep_png(8))
    with pytest.raises(BadInput, match=r"z\.png: more than 8 bits per channel"):
        open_images(tmp_path)
    (tmp_path / "z.png").unlink()
    (tmp_path / "z.ppm").write_bytes(b"P6 8 8 65535\n" + bytes(8 * 8 * 6))
    with pytest.raises(BadInput, match=r"z\.ppm: more than 8 bits per channel"):
        open_images(tmp_path)
    (tmp_path / "z.ppm").unlink()
    (tmp_path / "z.png").write_bytes(deep_png(60_000)[:60])
    with pytest.raises(BadInput, match=r"z\.png: cannot be read as an image \(Image size"):
        open_images(tmp_path)


def deep_png(side: int) -> bytes:
    """Of 16-bit colours, which Pillow reads as RGB without a word."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    rows = b"".join(b"\0" + bytes(6 * 8) for _ in range(8))
    header = struct.pack(">IIBBBBB", side, side, 16, 2, 0, 0, 0)
    parts = (b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def test_archives_that_no_numpy_wrote_are_refused_in_words(tmp_path):
    with zipfile.ZipFile(tmp_path / "bare.npz", "w") as archive:
        archive.writestr("arr_0", b"no .npy")
    with pytest.raises(BadInput, match=r"bare\.npz: not a complete npz file"):
        open_images(tmp_path / "bare.npz")
    Image.new("RGB", (8, 8)).save(tmp_path / "one.png")
    with pytest.raises(BadInput, match="one image; give the folder that holds them all"):
        open_images(tmp_path / "one.png")
    with zipfile.ZipFile(tmp_path / "lzma.npz", "w", zipfile.ZIP_LZMA) as archive:
        buffer = io.BytesIO()
        np.save(buffer, random_images(50))
        archive.writestr("arr_0.npy", buffer.getvalue())
    data = bytearray((tmp_path / "lzma.npz").read_bytes())
    data[200:3000] = b"x" * 2800
    (tmp_path / "lzma.npz").write_bytes(data)
    with pytest.raises(BadInput, match="not a complete npz file"):
        list(open_images(tmp_path / "lzma.npz").batches(9))


@pytest.mark.slow
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_every_changed_byte_of_an_npz_gives_images_or_words(tmp_path, save):
    path = tmp_path / "a.npz"
    save(path, random_images(2, 4))
    whole, refused = path.read_bytes(), 0
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        try:
            list(open_images(path).batches(2))
        except BadInput:
            refused += 1
    assert refused > 200


def test_a_folder_that_may_not_be_read_is_an_error(tmp_path, monkeypatch):
    """Its images were passed over, and the numbers were of the others."""
    for name in ("cats", "dogs"):
        save_folder(tmp_path / name, random_images(2))
    listed = os.scandir

    def refused(path):
        if Path(path).name == "dogs":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return listed(path)

    assert open_images(tmp_path).count == 4
    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(BadInput, match="dogs: cannot be read: Permission denied"):
        open_images(tmp_path)
