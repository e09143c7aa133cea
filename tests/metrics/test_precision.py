from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.metrics import neighbours, precision_recall
from harness.metrics.precision import full_float32


@pytest.fixture(params=[True, False])
def tf32(request):
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = request.param
    yield request.param
    matmul.allow_tf32, cudnn.allow_tf32 = before


def setting() -> tuple[bool, bool]:
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


def test_tensorfloat32_is_off_inside_and_as_it_was_afterwards(tf32):
    with pytest.raises(KeyError), full_float32():
        assert setting() == (False, False)
        raise KeyError
    assert setting() == (tf32, tf32)


def test_distances_and_features_are_never_made_in_tensorfloat32(tf32, tiny, monkeypatch):
    seen = []
    kept = neighbours._manifold
    monkeypatch.setattr(neighbours, "_manifold", lambda *a: seen.append(setting()) or kept(*a))
    precision_recall(np.eye(9), np.eye(9))
    tiny.network.register_forward_hook(lambda *a: seen.append(setting()))
    tiny(torch.zeros(1, 3, 8, 8, dtype=torch.uint8))
    assert seen == [(False, False)] * 2 and setting() == (tf32, tf32)
