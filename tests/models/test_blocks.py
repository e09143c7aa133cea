from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F

from harness.models import build
from harness.models.blocks import BLOCK_CLASSES, Attention, CrossAttention
from harness.models.zoo import BLOCKS

TINY = {"depth": 2, "width": 32, "heads": 4, "patch_size": 2, "input_size": 8, "num_classes": 5}
BATCH = 8


def test_every_adaln_zero_block_starts_as_the_identity():
    model = build(**TINY)
    x, condition = torch.randn(3, 16, 32), torch.randn(3, 32)
    for block in model.blocks:
        assert torch.equal(block(x, condition), x)


@pytest.mark.parametrize("block", [b for b in BLOCKS if b != "adaln-zero"])
def test_the_other_designs_do_not_start_as_the_identity(block):
    x = torch.randn(3, 16, 32)
    condition = torch.randn(3, 2, 32) if block == "cross-attention" else torch.randn(3, 32)
    changed = BLOCK_CLASSES[block](32, 4)(x, condition) - x
    assert changed.norm() > 0.1 * x.norm()


def softmax_attention(q, k, v):
    return torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5, dim=-1) @ v


def test_self_attention_is_softmax_attention_over_heads():
    attention = Attention(24, 3).double()
    x = torch.randn(2, 7, 24).double()
    q, k, v = F.linear(x, attention.qkv.weight, attention.qkv.bias).chunk(3, dim=-1)
    heads = [
        softmax_attention(q[..., s], k[..., s], v[..., s])
        for s in (slice(0, 8), slice(8, 16), slice(16, 24))
    ]
    torch.testing.assert_close(attention(x), attention.proj(torch.cat(heads, dim=-1)))


def test_cross_attention_reads_keys_and_values_from_the_condition_only():
    attention = CrossAttention(24, 3).double()
    x, condition = torch.randn(2, 7, 24).double(), torch.randn(2, 2, 24).double()
    q = attention.q(x)
    k, v = attention.kv(condition).chunk(2, dim=-1)
    heads = [
        softmax_attention(q[..., s], k[..., s], v[..., s])
        for s in (slice(0, 8), slice(8, 16), slice(16, 24))
    ]
    expected = attention.proj(torch.cat(heads, dim=-1))
    torch.testing.assert_close(attention(x, condition), expected)


def batch():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(BATCH, 4, 8, 8, generator=generator)
    t = torch.randint(1000, (BATCH,), generator=generator)
    y = torch.randint(6, (BATCH,), generator=generator)
    return x, t, y, torch.randn(BATCH, 8, 8, 8, generator=generator)


def train(model, call=None, steps=12, autocast=False):
    """Losses of a few steps that fit one batch; every parameter has to move."""
    before = copy.deepcopy(model.state_dict())
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0)
    x, t, y, target = batch()
    losses = []
    for _ in range(steps):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
            out = (model if call is None else call)(x, t, y)
        loss = F.mse_loss(out.float(), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    still = [name for name, p in model.named_parameters() if torch.equal(p, before[name])]
    assert not still
    return losses


@pytest.mark.slow
@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("path", ["plain", "checkpointing", "autocast"])
def test_every_design_trains_on_every_path(block, path):
    torch.manual_seed(0)
    model = build(**TINY, block=block, checkpointing=path == "checkpointing")
    losses = train(model, autocast=path == "autocast")
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("block", "backend"),
    [
        ("cross-attention", "aot_eager"),
        *(
            pytest.param(block, "aot_eager", marks=pytest.mark.full)
            for block in BLOCKS
            if block != "cross-attention"
        ),
        pytest.param("adaln-zero", "inductor", marks=pytest.mark.full),  # its C++ compiler is slow
    ],
)
def test_every_design_trains_compiled_as_it_does_plain(block, backend):
    # as one graph each
    torch.manual_seed(0)
    model = build(**TINY, block=block)
    twin = copy.deepcopy(model)
    compiled = torch.compile(model, backend=backend, fullgraph=True)
    found = train(model, call=compiled, steps=4)
    torch.testing.assert_close(found, train(twin, steps=4), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("block", BLOCKS)
def test_checkpointing_changes_memory_and_not_gradients(block, randomised):
    model = randomised(build(**TINY, block=block))
    x, t, y, target = batch()
    gradients, stored = [], []
    for model.checkpointing in (False, True):
        model.zero_grad()
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda tensor, sizes=sizes: sizes.append(tensor.numel()) or tensor,
            lambda tensor: tensor,
        ):
            loss = F.mse_loss(model(x, t, y), target)
        loss.backward()
        stored.append(sum(sizes))
        gradients.append([p.grad.clone() for p in model.parameters()])
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, recomputed, rtol=1e-6, atol=1e-8)
    assert stored[1] < 0.5 * stored[0]


@pytest.mark.parametrize("block", BLOCKS)
def test_bf16_autocast_stays_near_float32(block, randomised):
    model = randomised(build(**TINY, block=block), std=0.05)
    x, t, y, _ = batch()
    with torch.no_grad():
        exact = model(x, t, y)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rounded = model(x, t, y).float()
    assert ((rounded - exact).norm() / exact.norm()) < 0.02


def test_the_residual_stream_stays_float32_under_autocast(randomised):
    model = randomised(build(**TINY))
    kinds = []
    for block in model.blocks:
        block.register_forward_hook(lambda module, given, out: kinds.append(out.dtype))
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        model(*batch()[:3])
    assert set(kinds) == {torch.float32}
