"""How much of the chip is used."""

from __future__ import annotations

import pytest
import torch

from harness.stages.utilisation import PEAKS, peak_flops, peak_memory, utilisation


@pytest.mark.parametrize(
    ("name", "precision", "tf32", "teraflops"),
    [
        ("NVIDIA H100 80GB HBM3", "bf16", False, 989.4),
        ("NVIDIA H100 PCIe", "bf16", False, 756.0),
        ("NVIDIA A100-SXM4-80GB", "float32", True, 156.0),
        ("NVIDIA A100-SXM4-80GB", "float32", False, 19.5),
        ("NVIDIA A10G", "bf16", True, 70.0),
        ("NVIDIA A10", "bf16", True, 125.0),
        ("NVIDIA L40S", "float32", False, 91.6),
        ("NVIDIA L4", "float32", False, 30.3),
    ],
)
def test_the_peak_is_the_data_sheets(
    name: str, precision: str, tf32: bool, teraflops: float
) -> None:
    assert peak_flops(name, precision, tf32) == pytest.approx(teraflops * 1e12)


def test_a_chip_that_nobody_knows_has_no_peak() -> None:
    assert peak_flops("NVIDIA GeForce GT 710", "bf16", False) is None
    assert utilisation(1.0, torch.device("cpu"), "float32", False) is None


def test_no_name_hides_a_longer_one_behind_it() -> None:
    names = [name for name, _ in PEAKS]
    for i, name in enumerate(names):
        assert not any(name in later for later in names[i + 1 :]), name


def test_a_multiply_accumulate_is_two_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "NVIDIA A100")
    device = torch.device("cuda")
    # 156,000 Gflops/s counted so are 312 Tflop/s: all of bf16's peak
    assert utilisation(156_000, device, "bf16", False) == pytest.approx(1.0)
    assert utilisation(156_000, device, "bf16", False, devices=4) == pytest.approx(0.25)


def test_the_memory_that_was_taken_at_most_never_shrinks() -> None:
    before = peak_memory(torch.device("cpu"))
    assert before > 2**20
    taken = torch.ones(2**22)  # 16 MiB
    assert peak_memory(torch.device("cpu")) >= before and len(taken)
