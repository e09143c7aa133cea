"""What encoding found out about images is said by `run` at once, then by `plan` and `status`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from in_process import here_alone
from PIL import Image
from tiny_study import TINY
from verbs import Said

from harness.commands.encoded import of_stage
from harness.store import Store, codec
from harness.store.results import EncodeResult

WHOLE: dict[str, Any] = {
    "data": "own",
    "image_size": 8,
    "count": 58,
    "shape": (4, 8, 8),
    "num_classes": 2,
    "sha256": "0" * 64,
    "autoencoder": "diffusers",
    "autoencoder_sha256": "1" * 64,
    "moments": {"mean": 0.1, "std": 0.9},
}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, []),
        ({"moments": None}, []),  # of an older version
        ({"corrupt": 2}, ["2 of 60 images cannot be read and are left out (data.max_corrupt)"]),
        (
            {"stored": {"alpha": 3, "enlarged": 5}},
            [
                "3 of 58 with transparency, which is dropped; 5 of 58 smaller than the study's "
                "and enlarged"
            ],
        ),
        (
            {"stored": {"turned": 7}},
            ["7 of 58 with an EXIF orientation, which is not applied: turn such images"],
        ),
        (
            {"stored": {"frames": 2}, "passed_over": {".heic": 4, ".avif": 1}},
            [
                "2 of 58 of several frames or pages, of which the first is read",
                "5 files beside them are not read, as their names are not those of images "
                "(1 .avif, 4 .heic)",
            ],
        ),
        ({"passed_over": {".svg": 1}}, ["1 file beside them is not read"]),
        ({"moments": {"mean": 0.1, "std": 5.5}}, ["have mean 0.1 and standard deviation 5.5"]),
        ({"moments": {"mean": 0.1, "std": 5.5}, "autoencoder_sha256": None}, []),  # pixels
    ],
)
def test_what_a_reader_should_know_is_said_and_nothing_else(
    changed: dict[str, Any], said: list[str], tmp_path: Path
) -> None:
    store = Store(tmp_path)
    result = EncodeResult(**{**WHOLE, **changed})
    store.commit("encode", "a" * 64, store.staging("a" * 64), {}, codec.told(result), {})
    found = of_stage(store, "a" * 64)
    assert len(found) == len(said)
    for sentence, part in zip(found, said, strict=True):
        assert sentence.startswith("own at 8x8") and part in sentence
    assert of_stage(store, "b" * 64) == []


@pytest.mark.slow
def test_run_says_it_before_anything_is_trained_and_plan_and_status_go_on_saying_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: Said
) -> None:
    here_alone(monkeypatch)
    monkeypatch.chdir(tmp_path)
    for i in range(8):
        place = tmp_path / "images" / f"class-{i % 2}"
        place.mkdir(parents=True, exist_ok=True)
        pixels = np.full((8, 8, 4), 30 * i, np.uint8)
        Image.fromarray(pixels).save(place / f"{i}.png")
    (tmp_path / "images" / "class-0" / "z.png").write_bytes(b"no image")
    (tmp_path / "images" / "class-1" / "photo.heic").write_bytes(b"an image that is not read")
    data = "{name: own, source: image-folder, path: images, image_size: 8, num_classes: 2, "
    Path("tiny.yaml").write_text(
        TINY.replace("{name: glyphs, image_size: 8, ", f"{data}max_corrupt: 1, ")
        .replace("train_images: 64", "train_images: 9")
        .replace("extractor: glyphs-cnn\n  extractor_images: 100", "extractor: clip")
        .replace("  extractor_steps: 4\n", "")
        .replace("images: 60", "images: 5")
        .replace("recall_images: 40", "recall_images: 5")
        .replace("split_size: 40, ", "metrics: [fd], ")
    )
    code, out = verb("run", "tiny.yaml", "--only", "encode", "--no-report")
    assert code == 0, out
    said = "own at 8x8: 1 of 9 images cannot be read and are left out (data.max_corrupt)"
    assert f"note: {said}" in out and "8 of 8 with transparency" in out
    assert "own at 8x8: 1 file beside them is not read" in out and "(1 .heic)" in out
    for name in ("plan", "status"):
        assert f"note: {said}" in verb(name, "tiny.yaml")[1]
