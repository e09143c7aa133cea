"""Damaged npz, weights, checkpoints, tars and Parquet files: read, or refused by name.

Every input is a function of (SEED, its number). HARNESS_TEST_SEED=N draws others,
HARNESS_TEST_INPUTS=N as many as wanted of each kind. A fifth of them is among the quick tests; CI
tries all.
"""

from __future__ import annotations

import hashlib
import io
import os
import random
import shutil
import tarfile
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from harmless import Hung, at_most, call, collect, in_parts, numbers
from mutations import blob
from PIL import Image
from unpacking import extract

from harness.errors import HarnessError
from harness.models.dit import DiT
from harness.plan import make_plan
from harness.spec import load_study
from harness.stages.execute import execute
from harness.store import Store

SEED = os.environ.get("HARNESS_TEST_SEED", "1")
KEPT = Path(__file__).parents[1] / "data" / "frozen" / "results"  # see make.sh in it


def chance(what: str, i: int) -> random.Random:
    return random.Random(f"{SEED} {what} {i}")


def kept(name: str) -> bytes:
    """One file of the kept results."""
    with tarfile.open(KEPT / "results.tar.xz") as tar:
        member = next(n for n in tar.getnames() if n.endswith(name))
        return tar.extractfile(member).read()  # type: ignore[union-attr]


# --- evaluate: npz of images, statistics, an extractor's weights ----------------------------------

ODD_ARRAYS: tuple[Any, ...] = (
    *(np.zeros(0), np.zeros((0, 8, 8, 3), np.uint8), np.zeros((6, 8, 8), np.uint8)),
    *(np.zeros((6, 3, 8, 8), np.uint8), np.zeros((6, 8, 8, 4), np.uint8)),
    *(np.zeros((6, 8, 8, 3)), np.zeros((6, 8, 8, 3), np.int64), np.zeros((6, 8, 8, 3), bool)),
    *(
        np.full((6, 8, 8, 3), np.nan),
        np.array("text"),
        np.array(3),
        np.zeros((1, 8, 8, 3), np.uint8),
    ),
    *(np.zeros((6, 0, 8, 3), np.uint8), np.zeros((6, 1, 1, 3), np.uint8), np.zeros((64, 64))),
    *(np.full(64, np.inf), np.full((64, 64), -1.0), np.zeros(448), np.array([b"x"])),
    np.asfortranarray(np.zeros((6, 8, 8, 3), np.uint8)),
)


def npz(arrays: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def damaged_npz(arrays: dict[str, Any], dice: random.Random) -> bytes:
    """Other arrays, other names, or other bytes."""
    what = dice.randrange(5)
    if what == 0:
        name = dice.choice(list(arrays))
        return npz({**arrays, name: dice.choice(ODD_ARRAYS)})
    if what == 1:
        name = dice.choice(list(arrays))
        rest = {n: a for n, a in arrays.items() if n != name}
        renamed = {dice.choice(("arr_1", "a/b", "ü", "images")): arrays[name]}
        return npz(dice.choice((rest, {**rest, **renamed})))
    return blob(npz(arrays), dice)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Those behind the kept results, for images of 4x4."""
    path = tmp_path_factory.mktemp("extractor") / "cnn.safetensors"
    path.write_bytes(kept("extractor.safetensors"))
    return path


@pytest.mark.slow
@in_parts
def test_damaged_images_and_statistics_are_measured_or_refused_by_name(
    part: bool, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(1).integers(0, 256, (2, 6, 4, 4, 3), np.uint8)
    rows = np.random.default_rng(2).normal(size=(2, 200, 112))
    statistics = {
        "mu": rows[0, :, :64].mean(0),
        "sigma": np.cov(rows[0, :, :64], rowvar=False),
        "mu_s": rows[1].mean(0),
        "sigma_s": np.cov(rows[1], rowvar=False),
        "arr_0": pixels[1],
    }
    made = dict(np.load(io.BytesIO(kept("reference.npz"))))
    whole = {"samples": {"arr_0": pixels[0]}, "images": {"arr_0": pixels[1]}}
    whole |= {"statistics": statistics, "made": made}

    def one(i: int) -> str | None:
        dice = chance("npz", i)
        reference = dice.choice(("images", "images", "statistics", "made"))
        broken = dice.choice(("samples", reference))
        for side in ("samples", reference):
            arrays = whole[side]
            content = damaged_npz(arrays, dice) if side == broken else npz(arrays)
            Path(f"{side}.npz").write_bytes(content)
        code, said, problem = call(
            *("evaluate", "samples.npz", f"{reference}.npz"),
            *("--extractor", "glyphs-cnn", "--weights", str(weights), "--device", "cpu"),
            *("--split-size", "6", "--k", "2", "--metrics", "fd,sfd,is,precision"),
            allowed=(0, 1, 2),
        )
        if problem is None and code == 2 and f"{broken}.npz" not in said:
            problem = f"the error does not name {broken}.npz:\n{said}"
        return problem

    found = collect(numbers("npz", part), one)
    assert not found, "\n\n".join(found)


@pytest.mark.slow
@in_parts
def test_a_damaged_extractor_is_used_or_refused_by_name(
    part: bool, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(1).integers(0, 256, (2, 6, 4, 4, 3), np.uint8)
    for name, images in zip(("a.npz", "b.npz"), pixels, strict=True):
        np.savez(name, images)
    content = weights.read_bytes()

    def one(i: int) -> str | None:
        Path("damaged.safetensors").write_bytes(blob(content, chance("weights", i)))
        code, said, problem = call(
            *("evaluate", "a.npz", "b.npz", "--extractor", "glyphs-cnn", "--device", "cpu"),
            *("--weights", "damaged.safetensors", "--metrics", "fd"),
            allowed=(0, 1, 2),
        )
        if problem is None and code == 2 and "damaged.safetensors" not in said:
            problem = f"the error does not name the file:\n{said}"
        return problem

    found = collect(numbers("weights", part), one)
    assert not found, "\n\n".join(found)


# --- import: checkpoints --------------------------------------------------------------------------


def odd_state(state: dict[str, torch.Tensor], dice: random.Random) -> dict[str, Any]:
    """A state dict with something wrong in one of its tensors, or in their names."""
    name = dice.choice(list(state))
    t = state[name]
    tensors: tuple[Any, ...] = (
        *(torch.full_like(t, float("nan")), torch.full_like(t, float("inf")), t.double(), t.half()),
        *(t.to(torch.int32), t.bool(), t.flatten(), t[None], t.new_zeros(0), t.to(torch.bfloat16)),
        *(t.new_zeros(()), torch.zeros(3, 5)),
    )
    what = dice.randrange(4)
    if what == 0:
        return {n: u for n, u in state.items() if n != name}
    if what == 1:
        other = dice.choice((f"model.{name}", f"blocks.99.{name}", "ünï", name.upper(), "extra"))
        return {**{n: u for n, u in state.items() if n != name}, other: t}
    return {**state, name: dice.choice(tensors).contiguous()}


def wrapped(state: dict[str, Any], dice: random.Random) -> Any:
    return dice.choice(
        (
            *(state, {"ema": state}, {"model": state, "opt": {"lr": 1}}, {"state_dict": state}),
            *({"ema": {}}, {"ema": None, "model": state}, [state], {"model": [1, 2]}, {}, None),
            *({f"module.{n}": t for n, t in state.items()}, {"a": 1, "b": "c"}, {1: state}),
        )
    )


@pytest.mark.slow
@in_parts
def test_a_damaged_checkpoint_is_imported_or_refused_by_name(
    part: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    model = DiT(depth=1, width=8, heads=2, patch_size=2, input_size=4, channels=1, num_classes=3)
    state = {n: t.detach().contiguous() for n, t in model.state_dict().items()}

    def saved(content: Any, ending: str) -> bytes:
        buffer = io.BytesIO()
        if ending == "safetensors":
            return safetensors.torch.save(content)
        torch.save(content, buffer)
        return buffer.getvalue()

    def one(i: int) -> str | None:
        dice = chance("checkpoint", i)
        ending = dice.choice(("safetensors", "pt"))
        content: Any = odd_state(state, dice) if dice.random() < 0.4 else state
        if ending == "pt":
            content = wrapped(content, dice)
        data = saved(content, ending)
        path = f"damaged.{ending}"
        Path(path).write_bytes(blob(data, dice) if dice.random() < 0.6 else data)
        words = ("import", path, "--name", f"n{i}", "--heads", "2")
        code, said, problem = call(*words)
        if problem is None and code == 2 and path not in said:
            problem = f"the error does not name the file:\n{said}"
        return problem

    found = collect(numbers("checkpoint", part), one)
    assert not found, "\n\n".join(found)


# --- run: tars of images --------------------------------------------------------------------------

TARS = """\
study: tars
title: Images in a tar
data: {name: shapes, source: webdataset, path: damaged.tar, image_size: 8, num_classes: 3}
model: {depth: 1, width: 8, heads: 2, patch_size: 4}
train: {steps: 1, batch_size: 2}
dispatch: {device: cpu, threads: 1}
profiles: {laptop: {}}
"""


def tar_of(dice: random.Random | None) -> bytes:
    """Six images with labels; with `dice`, one member is odd."""
    buffer = io.BytesIO()
    odd = None if dice is None else dice.randrange(6)
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for i in range(6):
            image = io.BytesIO()
            pixels = np.random.default_rng(i).integers(0, 256, (9, 8, 3), np.uint8)
            Image.fromarray(pixels).save(image, "PNG")
            name, label, content = f"{i:03}", str(i % 3).encode(), image.getvalue()
            if i == odd and dice is not None:
                what = dice.randrange(4)
                if what == 0:
                    name = dice.choice(
                        ("../x", "/etc/x", "._a", "é", "a\udcff", "__MACOSX/a", "a" * 120)
                    )
                elif what == 1:
                    label = dice.choice(
                        (b"", b"-1", b"3", b"99999999999999999999", b"cat", b"\xff")
                    )
                elif what == 2:
                    content = blob(content, dice)
                else:
                    content = dice.choice((b"", b"GIF89a", b"\xff\xd8\xff", b"BM" + bytes(40)))
            for ending, data in (("png", content), ("cls", label)):
                member = tarfile.TarInfo(f"{name}.{ending}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


@pytest.mark.slow
@in_parts
def test_a_damaged_tar_is_encoded_or_refused_by_name(
    part: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stage that `run` gives to a worker, in this process."""
    monkeypatch.chdir(tmp_path)
    Path("tars.yaml").write_text(TARS)
    plan = make_plan(load_study("tars.yaml"))
    (stage,) = (s for s in plan.stages.values() if s.kind == "encode")
    task = plan.task(stage)

    def one(i: int) -> str | None:
        dice = chance("tar", i)
        content = tar_of(dice) if dice.random() < 0.5 else blob(tar_of(None), dice)
        Path("damaged.tar").write_bytes(content)
        shutil.rmtree("results", ignore_errors=True)
        try:
            with at_most(60):
                execute(task, Store("results"))
        except HarnessError as error:
            if "damaged.tar" not in str(error):
                return f"the error does not name the file: {error}"
        except (Exception, Hung):
            return traceback.format_exc()
        return None

    found = collect(numbers("tar", part), one)
    assert not found, "\n\n".join(found)


# --- results: Parquet -----------------------------------------------------------------------------


@pytest.mark.slow
@in_parts
def test_a_damaged_record_is_left_out_by_name_or_refused_by_name(
    part: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of them under the checksum of what they hold now: then Parquet itself must refuse."""
    monkeypatch.chdir(tmp_path)
    with tarfile.open(KEPT / "results.tar.xz") as tar:
        extract(tar, tmp_path)
    shutil.copy(KEPT / "kept.yaml", "kept.yaml")
    pristine = Path("results/records").rename("pristine")
    tables = {
        table: sorted(path.name for path in (pristine / table).glob("*.parquet"))
        for table in ("metrics", "runs", "training")
    }
    shutil.rmtree("results/artifacts")  # of which every number would be read again
    for table, names in tables.items():
        tables[table] = names[:: max(1, len(names) // 3)]
        for name in {*names} - {*tables[table]}:
            (pristine / table / name).unlink()
    assert all(tables.values())

    def one(i: int) -> str | None:
        dice = chance("record", i)
        table = dice.choice(list(tables))
        shutil.rmtree("results/records", ignore_errors=True)
        shutil.copytree(pristine, "results/records")
        path = Path("results/records", table, dice.choice(tables[table]))
        content = path.read_bytes()
        data = blob(content, dice)
        digest = hashlib.sha256(data).hexdigest()[:16]
        signed = path.with_name(f"{path.name.split('.')[0]}.{digest}.parquet")
        place = signed if dice.random() < 0.5 else path
        path.unlink()
        place.write_bytes(data)
        code, said, problem = call("results", "kept.yaml", "--csv", "--table", table)
        if problem is None and code == 2 and place.name not in said:
            problem = f"the error does not name the file:\n{said}"
        if problem is None and place is path and data != content and path.name not in said:
            problem = f"no word about the damaged file:\n{said[-500:]}"
        return problem

    found = collect(numbers("record", part), one)
    assert not found, "\n\n".join(found)
