"""CIFAR's four published layouts, small: written byte by byte as its page describes them."""

from __future__ import annotations

import pickle
import struct
from pathlib import Path

import numpy as np

TEN = [f"class {k}" for k in range(10)]
FINE, COARSE = [f"fine {k}" for k in range(100)], [f"coarse {k}" for k in range(20)]


def pixels(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 3072), dtype=np.uint8)


def names(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n\n")


def write_10(root: Path, binary: bool) -> None:
    """Five batches of two images and a test batch; image j of batch k has label k + j."""
    folder = root / ("cifar-10-batches-bin" if binary else "cifar-10-batches-py")
    folder.mkdir(parents=True)
    for k, name in enumerate([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]):
        data, labels = pixels(2, k), [k, k + 1]
        if binary:
            records = np.hstack([np.array(labels, np.uint8)[:, None], data])
            (folder / f"{name}.bin").write_bytes(records.tobytes())
        else:
            (folder / name).write_bytes(python_2_batch(data, "labels", labels))
    if binary:
        names(folder / "batches.meta.txt", TEN)
    else:
        (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": TEN}, protocol=2))


def write_100(root: Path, binary: bool) -> None:
    folder = root / ("cifar-100-binary" if binary else "cifar-100-python")
    folder.mkdir(parents=True)
    for k, name in enumerate(["train", "test"]):
        data, coarse, fine = pixels(3, k), [0, 19, 7], [99, 0, 50]
        if binary:
            records = np.hstack([np.array([coarse, fine], np.uint8).T, data])
            (folder / f"{name}.bin").write_bytes(records.tobytes())
        else:
            (folder / name).write_bytes(
                python_2_batch(data, "fine_labels", fine, coarse_labels=coarse)
            )
    if binary:
        names(folder / "fine_label_names.txt", FINE)
        names(folder / "coarse_label_names.txt", COARSE)
    else:
        meta = {"fine_label_names": FINE, "coarse_label_names": COARSE}
        (folder / "meta").write_bytes(pickle.dumps(meta, protocol=2))


def string(text: bytes) -> bytes:
    """Python 2's str."""
    if len(text) < 256:
        return b"U" + bytes([len(text)]) + text
    return b"T" + struct.pack("<i", len(text)) + text


def python_2_array(pixels: np.ndarray) -> bytes:
    """A uint8 array (rows, columns) as numpy's arrays were pickled by Python 2, protocol 2."""
    return (
        b"cnumpy.core.multiarray\n_reconstruct\n" + b"cnumpy\nndarray\n"
        b"K\x00\x85" + string(b"b") + b"\x87R"
        b"(K\x01"
        + b"".join(b"M" + struct.pack("<H", n) for n in pixels.shape)
        + b"\x86cnumpy\ndtype\n"
        + string(b"u1")
        + b"K\x00K\x01\x87R(K\x03"
        + string(b"|")
        + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        + string(pixels.tobytes())
        + b"tb"
    )


def python_2_batch(pixels: np.ndarray, key: str, labels: list[int], **more: list[int]) -> bytes:
    """A batch as the CIFAR page has it: {labels: [...], data: array}, protocol 2."""
    content = b"\x80\x02}q\x01("
    for name, values in {key: labels, **more}.items():
        content += string(name.encode()) + b"]q\x02(" + b"".join(b"K%c" % v for v in values) + b"e"
    return content + string(b"data") + python_2_array(pixels) + b"u."
