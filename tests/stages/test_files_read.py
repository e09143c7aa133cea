"""What stages write down of the files that they read: images, held-out ones, weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pets import bmp, study_of
from small_vae import save_decoders

from harness.plan.build import make_plan
from harness.plan.reads import OF_KIND
from harness.spec import load_study
from harness.stages.execute import execute
from harness.store import Store
from harness.store.file_lists import FILES, FileList, read

MEASURED = """\
reference: {extractor: random-conv, images: 8, recall_images: 8, floor_images: 4}
evaluations: {final: {metrics: [fd], samples: 8, sampling_steps: 2}}
"""


def images(root: Path, count: int, side: int = 8) -> Path:
    for c, name in enumerate(("cat", "dog")):
        (root / name).mkdir(parents=True)
        for i in range(count):
            (root / name / f"{i}.bmp").write_bytes(bmp(10 * i + 100 * c, side))
    return root


def lists(kind: str, *overrides: str) -> dict[str, FileList]:
    store = Store("results")
    plan = make_plan(load_study("pets.yaml", None, overrides))
    (stage,) = [s for s in plan.stages.values() if s.kind == kind]
    execute(plan.task(stage), store)
    return read(store.folder(kind, stage.key) / FILES, contents=True)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
def test_an_autoencoders_weights_are_listed_file_by_file() -> None:
    images(Path("images"), 2, side=32)
    save_decoders(Path("vae"))
    study_of(Path("images"))
    found = lists(
        "encode",
        "data.image_size=32",
        "autoencoder.name=sd-vae",
        "autoencoder.weights=vae",
    )
    assert sorted(found) == ["autoencoder", "data"]
    assert b"original/diffusion_pytorch_model.safetensors" in found["autoencoder"].paths
    assert found["autoencoder"].sha256.any(axis=1).all()


@pytest.mark.parametrize("held_out", [None, "others"])
def test_a_reference_lists_its_images_and_those_of_its_floor(held_out: Any) -> None:
    root = images(Path("images/train"), 6).parent
    images(root / "val", 3)
    images(Path("others"), 4)
    study_of(root, more=MEASURED)
    said = [] if held_out is None else [f"data.held_out={json.dumps(held_out)}"]
    found = lists("reference", *said)
    assert len(found["data"]) == 12 and set(found) <= set(OF_KIND["reference"])
    floors = lists("floor", *said)["floor"].paths[0]
    assert floors == (b"cat/0.bmp" if held_out == "others" else b"val/cat/0.bmp")


def test_statistics_are_listed_as_the_file_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list does not need the network that the statistics are of."""
    from types import SimpleNamespace

    from harness.data.sources import ImageFolderSource
    from harness.plan.stages import Place
    from harness.stages import files_read
    from harness.stages.distributed import World

    Path("statistics.npz").write_bytes(b"as they were")
    Path("scratch").mkdir()
    Path("staging").mkdir()
    place = Place(statistics="statistics.npz")
    work: Any = SimpleNamespace(
        place=place,
        scratch=Path("scratch"),
        folder=Path("staging"),
        world=World(),
        progress=lambda **_: None,
    )
    source = ImageFolderSource()
    before = files_read.begin(work, source, OF_KIND["reference"])
    files_read.checksums(work, source, before)
    files_read.finish(work, source, before)
    found = read(Path("staging") / FILES, contents=True)
    assert list(found) == ["statistics"] and found["statistics"].paths == [b""]
    assert int(found["statistics"].sizes[0]) == 12
