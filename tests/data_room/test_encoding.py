from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.data import ImageFolder, Latents, TarShards, encode
from harness.data.encoding import latent_settings
from harness.errors import BadInput, HarnessError


def content(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


class Dying:
    """An image source whose process dies after some reads."""

    def __init__(self, images, reads: int) -> None:
        self.images, self.reads = images, reads
        self.class_names, self.fingerprint = images.class_names, images.fingerprint

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int):
        self.reads -= 1
        if self.reads < 0:
            raise KeyboardInterrupt
        return self.images[index]


@pytest.mark.slow
@given(kills=st.lists(st.integers(0, 12), max_size=6), world=st.integers(1, 3))
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_an_encoding_killed_any_number_of_times_ends_byte_for_byte_like_an_undisturbed_one(
    tmp_path_factory, make_images, pooling, kills, world
) -> None:
    images, vae = make_images(13, 16), pooling
    wanted = latent_settings(images, vae, 16, 3, shard_size=4)
    undisturbed, disturbed = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    encode(images, vae, undisturbed, wanted, batch_size=3).finish()
    for turn, reads in enumerate(kills):
        with pytest.raises(KeyboardInterrupt):
            encode(
                Dying(images, reads), vae, disturbed, wanted,
                rank=turn % world, world=world, batch_size=3,
            )  # fmt: skip
            raise KeyboardInterrupt  # this process had no work left
    for rank in range(world):
        writer = encode(images, vae, disturbed, wanted, rank=rank, world=world, batch_size=3)
    writer.finish()
    assert content(disturbed) == content(undisturbed)


@pytest.mark.parametrize("threads", [1, 3])
def test_reading_ahead_changes_nothing(tmp_path, make_images, pooling, threads) -> None:
    images = make_images(11, 16)
    wanted = latent_settings(images, pooling, 16, 3, shard_size=6)
    for name, ahead in (("plain", 0), ("ahead", threads)):
        encode(images, pooling, tmp_path / name, wanted, batch_size=4, threads=ahead).finish()
    assert content(tmp_path / "plain") == content(tmp_path / "ahead")


def test_image_folders_and_tars_of_the_same_images_give_the_same_latents(
    tmp_path, make_folder, make_tar, identity
) -> None:
    folder = make_folder({"a": 3, "b": 2})
    members = {}
    for k, path in enumerate(sorted(folder.rglob("*.png"))):
        members[f"{k}.png"] = path.read_bytes()
        members[f"{k}.cls"] = str(int(path.parent.name == "b")).encode()
    tar = make_tar(tmp_path / "tars" / "x.tar", members)
    stored = []
    for name, images in (("f", ImageFolder(folder)), ("t", TarShards(tar))):
        wanted = latent_settings(images, identity, 8, 3)
        encode(images, identity, tmp_path / name, wanted).finish()
        stored.append(Latents.open(tmp_path / name))
    assert (stored[0].batch(np.arange(5))[0] == stored[1].batch(np.arange(5))[0]).all()
    assert stored[0].labels.tolist() == stored[1].labels.tolist() == [0, 0, 0, 1, 1]


@pytest.mark.parametrize("threads", [0, 2])
def test_corrupt_images_are_skipped_up_to_the_limit(
    tmp_path, make_folder, identity, threads
) -> None:
    root = make_folder({"a": 3, "b": 3})
    (root / "a" / "002.png").write_bytes(b"torn")
    (root / "b" / "000.png").write_bytes((root / "b" / "000.png").read_bytes()[:80])
    images = ImageFolder(root)
    wanted = latent_settings(images, identity, 8, 3, shard_size=4)
    with pytest.raises(HarnessError, match=r"2 images cannot be read.*max_corrupt \(1\)") as error:
        encode(images, identity, tmp_path / "out", wanted, max_corrupt=1, threads=threads)
    assert "a/002.png" in str(error.value) and "b/000.png" in str(error.value)
    index = encode(
        images, identity, tmp_path / "out", wanted, max_corrupt=2, threads=threads
    ).finish(max_corrupt=2)
    assert [entry["path"] for entry in index["corrupt"]] == ["a/002.png", "b/000.png"]
    latents = Latents.open(tmp_path / "out")
    assert latents.labels.tolist() == [0, 0, 1, 1]


def test_an_image_too_narrow_to_crop_is_counted_and_skipped(
    tmp_path, make_folder, identity, encode_png
) -> None:
    root = make_folder({"a": 2})
    (root / "a" / "narrow.png").write_bytes(encode_png(np.zeros((5000, 1, 3), np.uint8)))
    images = ImageFolder(root)
    wanted = latent_settings(images, identity, 8, 3)
    index = encode(images, identity, tmp_path / "out", wanted, max_corrupt=1).finish(max_corrupt=1)
    assert index["count"] == 2
    (entry,) = index["corrupt"]
    assert entry["path"] == "a/narrow.png" and "too narrow to crop" in entry["reason"]


def test_the_limit_counts_what_other_processes_met(tmp_path, make_folder, identity) -> None:
    root = make_folder({"a": 4})
    for name in ("000.png", "003.png"):
        (root / "a" / name).write_bytes(b"torn")
    images = ImageFolder(root)
    wanted = latent_settings(images, identity, 8, 3, shard_size=2)
    encode(images, identity, tmp_path / "o", wanted, rank=0, world=2, max_corrupt=1)
    with pytest.raises(HarnessError, match="2 images cannot be read"):
        encode(images, identity, tmp_path / "o", wanted, rank=1, world=2, max_corrupt=1)


def test_one_channel_and_three_are_made_of_each_other(tmp_path, make_images, identity) -> None:
    gray, colour = make_images(2, 4, channels=1), make_images(2, 4, channels=3)
    for name, images, channels in (("up", gray, 3), ("down", colour, 1)):
        wanted = latent_settings(images, identity, 4, channels)
        encode(images, identity, tmp_path / name, wanted).finish()
        assert Latents.open(tmp_path / name).shape == (channels, 4, 4)
    up = Latents.open(tmp_path / "up").batch(np.arange(2))[0]
    assert (up[:, 0] == up[:, 2]).all()
    down = Latents.open(tmp_path / "down").batch(np.arange(2))[0][:, 0]
    luma = colour.images @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose((down + 1) * 127.5, luma, atol=0.51)


def test_progress_counts_this_processs_images(tmp_path, make_images, identity) -> None:
    images, told = make_images(10, 4), []
    wanted = latent_settings(images, identity, 4, 3, shard_size=4)
    encode(
        images, identity, tmp_path, wanted,
        rank=0, world=2, batch_size=3, progress=lambda *counts: told.append(counts),
    )  # fmt: skip
    assert told == [(3, 6), (4, 6), (6, 6)]


def test_an_image_size_the_autoencoder_cannot_take_is_refused(make_images, pooling) -> None:
    with pytest.raises(BadInput, match="20 is not divisible by the sd-vae autoencoder's factor 8"):
        latent_settings(make_images(2, 20), pooling, 20, 3)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (
            lambda mean: mean[:, :3],
            r"encode gave \(6, 3, 2, 2\), not latents of shape \(6, 4, 2, 2\)",
        ),
        (lambda mean: (mean, mean[..., :1]), r"encode gave \(6, 4, 2, 2\) and \(6, 4, 2, 1\), not"),
        (lambda mean: None, r"encode gave \(\), not latents of shape"),
        (lambda mean: (mean, mean, mean), "not latents of shape"),
        (
            lambda mean: mean + float("nan"),
            "the latents of 6 of 6 images are not finite in float16",
        ),
        (
            lambda mean: mean * 0 + 1e5,
            r"of 6 of 6 images are not finite in float16 \(torch.float32",
        ),
    ],
)
def test_latents_of_another_shape_or_beyond_numbers_are_refused(
    tmp_path, make_images, pooling, made, said
) -> None:
    images = make_images(6, 16)
    wanted = latent_settings(images, pooling, 16, 3)
    plain = pooling.encode
    pooling.encode = lambda images: made(plain(images)[0])
    with pytest.raises(HarnessError, match=said):
        encode(images, pooling, tmp_path, wanted)


PIXELS = np.zeros((16, 16, 3), np.uint8)


@pytest.mark.parametrize(
    ("pixels", "label", "classes", "said"),
    [
        (PIXELS, -1, 5, "image 0 has the label -1; labels are whole numbers from 0 to 4"),
        (PIXELS, 5, 5, "image 0 has the label 5; "),  # which is the null label
        (PIXELS, 0.7, 5, r"image 0 has the label 0\.7; "),
        (PIXELS, "2", 5, "image 0 has the label '2'; "),
        (PIXELS, None, 5, "image 0 has the label None; "),
        (PIXELS, 1, 0, "image 0 has the label 1; images without classes have the label 0"),
        (PIXELS[..., 0], 0, 5, r"image 0 is uint8 of shape \(16, 16\), not uint8 \(H, W, 1 or 3\)"),
        (PIXELS.astype(np.float32), 0, 5, r"image 0 is float32 of shape \(16, 16, 3\)"),
        (PIXELS.tolist(), 0, 5, "image 0 is a list, not uint8"),
        (None, 0, 5, "image 0 is a NoneType, not uint8"),
    ],
)
def test_an_image_or_a_label_that_can_be_none_is_refused(
    tmp_path, make_images, identity, pixels, label, classes, said
) -> None:
    """A source may be anybody's: a label beyond the classes would be trained on as no class."""
    images = make_images(3, 16)
    given = type("Given", (), {"__len__": lambda s: 3, "__getitem__": lambda s, i: (pixels, label)})
    given.class_names, given.fingerprint = images.class_names[:classes], images.fingerprint
    with pytest.raises(BadInput, match=said):
        encode(given(), identity, tmp_path, latent_settings(given(), identity, 16, 3))


@pytest.mark.parametrize("label", [1, np.int64(1), np.uint8(1), True])
def test_whole_numbers_of_any_type_are_labels(tmp_path, make_images, identity, label) -> None:
    images = make_images(3, 16)
    given = type("Given", (), {"__len__": lambda s: 3, "__getitem__": lambda s, i: (PIXELS, label)})
    given.class_names, given.fingerprint = images.class_names, images.fingerprint
    encode(given(), identity, tmp_path, latent_settings(given(), identity, 16, 3)).finish()
    assert Latents.open(tmp_path).count == 3
