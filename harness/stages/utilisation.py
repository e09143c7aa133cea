"""How much of the chip is used: operations done per second, over what its data sheet promises."""

from __future__ import annotations

import resource

import torch

# Dense (no sparsity) Tflop/s of NVIDIA's data sheets: bf16, TF32, float32. Longer names first.
PEAKS: tuple[tuple[str, tuple[float, float | None, float]], ...] = (
    ("B200", (2250.0, 1125.0, 75.0)),
    ("GH200", (989.4, 494.7, 67.0)),
    ("H200", (989.4, 494.7, 67.0)),
    ("H100 NVL", (835.0, 417.5, 60.0)),
    ("H100 PCIe", (756.0, 378.0, 51.0)),
    ("H100", (989.4, 494.7, 67.0)),
    ("A100", (312.0, 156.0, 19.5)),
    ("A10G", (70.0, 35.0, 35.0)),
    ("A10", (125.0, 62.5, 31.2)),
    ("L40S", (362.0, 183.0, 91.6)),
    ("L4", (121.0, 60.0, 30.3)),
    ("RTX 4090", (165.2, 82.6, 82.6)),
    ("RTX 3090", (71.0, 35.6, 35.6)),
)


def peak_flops(device_name: str, precision: str, tf32: bool) -> float | None:
    """Floating-point operations per second of one device; None where the table has no such one."""
    for name, (bf16, fast, single) in PEAKS:
        if name in device_name:
            rate = bf16 if precision == "bf16" else fast if tf32 else single
            return None if rate is None else rate * 1e12
    return None


def utilisation(
    gflops_per_second: float, device: torch.device, precision: str, tf32: bool, devices: int = 1
) -> float | None:
    """Model-flops utilisation, 0 to 1; None on a device whose peak is not known.

    gflops_per_second counts multiply-accumulates, as the paper does: each is two operations.
    Recomputed activations do not count as work.
    """
    if device.type != "cuda":
        return None
    peak = peak_flops(torch.cuda.get_device_name(device), precision, tf32)
    return None if peak is None else 2e9 * gflops_per_second / (peak * devices)


def peak_memory(device: torch.device) -> int:
    """Bytes that were taken at most: of the device, or of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
