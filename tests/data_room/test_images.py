from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from harness.data.encoding import changed
from harness.data.images import ArrayImages, Corrupt, open_images, read_image
from harness.errors import BadInput, Missing


def saved(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def ramp(mode: str) -> Image.Image:
    gray = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    return Image.fromarray(gray).convert(mode)


def test_grayscale_becomes_three_equal_channels() -> None:
    pixels = read_image(saved(ramp("L"), "PNG"), "a.png")
    assert pixels.shape == (8, 8, 3) and pixels.dtype == np.uint8
    for channel in range(3):
        np.testing.assert_array_equal(pixels[..., channel], np.asarray(ramp("L")))


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    levels = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    for kind in ("PNG", "TIFF"):
        pixels = read_image(saved(Image.fromarray(levels), kind), "a")
        expected = np.round(levels / 65535 * 255)
        np.testing.assert_allclose(pixels[..., 0], expected, atol=1)
        assert pixels.min() == 0 and pixels.max() == 255 and len(np.unique(pixels)) > 60


def test_cmyk_becomes_rgb() -> None:
    rgb = Image.new("RGB", (16, 16), (200, 40, 90))
    pixels = read_image(saved(rgb.convert("CMYK"), "JPEG", quality=95), "a.jpg")
    np.testing.assert_allclose(pixels.reshape(-1, 3).mean(0), (200, 40, 90), atol=6)


@pytest.mark.parametrize("mode", ["P", "LA", "RGBA", "1"])
def test_every_other_mode_becomes_rgb(mode) -> None:
    assert read_image(saved(ramp(mode), "PNG"), "a.png").shape == (8, 8, 3)


@pytest.mark.parametrize(
    "content",
    [b"", b"not an image", saved(ramp("RGB"), "PNG")[:60], saved(ramp("RGB"), "JPEG")[:200]],
)
def test_damaged_files_are_corrupt_and_named(content) -> None:
    with pytest.raises(Corrupt, match=r"n01/bad\.jpg: cannot be decoded"):
        read_image(content, "n01/bad.jpg")


def test_floating_point_images_are_corrupt_since_their_range_is_unknown() -> None:
    floats = Image.fromarray(np.ones((4, 4), np.float32))
    with pytest.raises(Corrupt, match="range"):
        read_image(saved(floats, "TIFF"), "a.tif")


def test_an_image_too_narrow_to_crop_is_corrupt() -> None:
    narrow, ordinary = Image.new("RGB", (1, 101)), Image.new("RGB", (1, 100))
    with pytest.raises(Corrupt, match=r"a\.png: is 1 x 101 pixels, too narrow"):
        read_image(saved(narrow, "PNG"), "a.png")
    assert read_image(saved(ordinary, "PNG"), "a.png").shape == (100, 1, 3)


@pytest.mark.parametrize("name", ["glyphs", "digits"])
def test_embedded_sets_open_by_name(name) -> None:
    images = open_images(name, count=20, image_size=8, num_classes=10)
    pixels, label = images[3]
    assert len(images) == 20 and pixels.shape == (8, 8, 3) and 0 <= label < 10
    assert images.fingerprint != open_images(name, count=20, seed=1).fingerprint


def test_data_that_is_not_as_the_study_says_is_refused() -> None:
    with pytest.raises(BadInput, match=r"has 10 classes, and data\.num_classes says 1000"):
        open_images("glyphs", count=5, num_classes=1000)
    with pytest.raises(BadInput, match="fingerprint"):
        open_images("glyphs", count=5, fingerprint="0" * 64)
    with pytest.raises(BadInput, match="glyphs, digits"):
        open_images("imagenet", count=5)
    with pytest.raises(BadInput, match=r"data\.path"):
        open_images("imagenet", "image-folder")
    with pytest.raises(BadInput, match="embedded, image-folder, webdataset"):
        open_images("imagenet", "lmdb")
    with pytest.raises(Missing, match="is not a folder"):
        open_images("imagenet", "webdataset", "/nowhere/at/all")


def test_arrays_that_are_no_image_set_are_refused() -> None:
    pixels, labels = np.zeros((2, 4, 4, 3), np.uint8), np.array([0, 1])
    ArrayImages(pixels, labels, ["a", "b"])
    for bad in (
        (pixels.astype(float), labels, ["a", "b"]),
        (pixels, labels[:1], ["a", "b"]),
        (pixels, labels, ["a"]),
        (pixels[:0], labels[:0], ["a"]),
    ):
        with pytest.raises(BadInput):
            ArrayImages(*bad)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_an_orientation_is_not_applied_and_is_told(kind) -> None:
    plain = ramp("RGB").crop((0, 0, 8, 6))
    for value, turned in ((1, False), (3, True), (6, True), (9, False)):
        exif = Image.Exif()
        exif[0x0112] = value
        found = read_image(saved(plain, kind, exif=exif), "a")
        assert found.shape == (6, 8, 3)  # as the pixels lie
        assert getattr(found, "turned", False) is turned
        assert ("turned" in changed(found, 4)) is turned
    damaged = saved(plain, kind, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert not getattr(read_image(damaged, "a"), "turned", False)


@pytest.mark.parametrize("ending", ["GIF", "PNG", "WEBP", "TIFF", "MPO"])
@pytest.mark.parametrize("several", [True, False])
def test_several_pictures_in_a_file_are_one_image_that_says_so(ending: str, several: bool) -> None:
    first, *others = (Image.fromarray(np.full((8, 8, 3), 90 * i, np.uint8)) for i in range(3))
    more = {"save_all": True, "append_images": others} if several else {}
    image = read_image(saved(first, ending, **more), f"x.{ending}")
    assert image.max() < 5, "the first, black"
    assert getattr(image, "frames", False) is several
    assert ("frames" in changed(image, 8)) is several
