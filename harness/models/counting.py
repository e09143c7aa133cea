"""Complexity: forward multiply-accumulates, parameters and activations, counted by tracing.

Gflops here are the paper's: forward multiply-accumulates for one image, without guidance, in
units of 10^9. fvcore walks a trace of the model; two things it gets wrong are handled here: it
does not see the two products inside the fused attention operator, and it counts a LayerNorm at 4
or 5 operations per element. Two conventions are kept side by side:

    strict  convolutions, linears and the attention products (the metric of this project)
    paper   the same plus one operation per normalised element (reproduces Tables 3 and 5 best)

Everything else (sums, gates, activations functions, softmax, embeddings) counts as zero in both.
An operator that is neither counted nor known to be free is an error, not a silent zero.

The trace runs on the meta device: no memory, no arithmetic.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode

from harness.components.family import Family, Input
from harness.errors import BadInput, HarnessError
from harness.models import unets
from harness.models.dit import DiT
from harness.models.families import DiTFamily
from harness.models.zoo import FAMILIES, UNETS, Architecture, architecture, check_unet

with warnings.catch_warnings():
    # it still uses torch.jit, which torch announces to remove
    warnings.simplefilter("ignore", FutureWarning)
    from fvcore.nn import FlopCountAnalysis
    from fvcore.nn.jit_handles import (
        addmm_flop_jit,
        bmm_flop_jit,
        get_shape,
        linear_flop_jit,
        matmul_flop_jit,
    )

Handle = Callable[[list[Any], list[Any]], Any]


@dataclass(frozen=True)
class Complexity:
    """The cost of one forward pass of a model for one image."""

    name: str
    gflops: float  # strict: 10^9 multiply-accumulates in convolutions, linears, attention products
    gflops_paper: float  # the same plus one operation per normalised element
    params: int  # trainable; the position table is not
    activations: int  # elements written by convolutions, linears and attention
    tokens: int | None  # image tokens; None for a U-Net

    def sampling_gflops(self, steps: int, guidance_scale: float = 1.0) -> float:
        """Gflops to sample one image; guidance (a scale other than 1) doubles the batch."""
        return self.gflops * steps * (1 if guidance_scale == 1.0 else 2)

    def training_gflops(self, batch_size: int, steps: int) -> float:
        """Gflops to train: the backward pass costs twice the forward (section 4)."""
        return self.gflops * batch_size * steps * 3


# Operators that move, select, add or scale elements, or apply a function to each: zero by
# convention. (The paper's own counts leave them out: its Table 3 is met to 0.1% without them.)
FREE = frozenset(
    [
        *("aten::add", "aten::add_", "aten::rsub", "aten::mul", "aten::mul_", "aten::div"),
        *("aten::neg", "aten::exp", "aten::sin", "aten::cos", "aten::addcmul"),
        *("aten::softmax", "aten::embedding"),
        *("aten::upsample_nearest2d", "aten::avg_pool2d", "aten::clone"),
        *("aten::sub", "aten::pow", "aten::sqrt", "aten::rsqrt", "aten::mean", "aten::sum"),
        *("aten::relu", "aten::sigmoid", "aten::tanh", "aten::where", "aten::unflatten"),
    ]
)


def _attention_products(inputs: list[Any], outputs: list[Any]) -> int:
    """q k^T and the weighted sum of v, of (..., T, E), (..., S, E), (..., S, V)."""
    query, key, value = (get_shape(each) for each in inputs[:3])
    return prod(query) * key[-2] + prod(query[:-1]) * prod(value[-2:])  # type: ignore[no-any-return]


def _counted(products: Handle) -> Handle:
    """A handle that also counts the elements the operator writes."""

    def count(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
        counted = products(inputs, outputs)
        if isinstance(counted, Counter):
            counted = sum(counted.values())
        return Counter(products=int(counted), activations=prod(get_shape(outputs[0])))

    return count


HANDLES: dict[str, Handle] = {
    "aten::linear": _counted(linear_flop_jit),
    "aten::addmm": _counted(addmm_flop_jit),
    "aten::matmul": _counted(matmul_flop_jit),
    "aten::bmm": _counted(bmm_flop_jit),
    "aten::scaled_dot_product_attention": _counted(_attention_products),
}


# Activation functions and dropout: an output of the input's shape, nothing counted.
SHAPELESS = frozenset([F.silu, F.gelu, F.dropout])
NORMALIZATIONS = frozenset([F.layer_norm, F.group_norm, F.rms_norm])


class _Shapes(TorchFunctionMode):
    """Does while tracing only what later shapes depend on; under a trace every operator is slow.

    A convolution is done as the product it is, each patch, as a row, by the kernel: shapes and
    multiply-accumulates are the convolution's own. (A trace on the meta device cannot follow
    conv2d itself: under a trace sizes are tensors, which its meta kernel does not accept, and the
    operator one level below has none in PyTorch 2.11 and before.) Normalisations add up their
    elements in `normalized`, and they and the activation functions return their input.
    """

    def __init__(self) -> None:
        super().__init__()
        self.normalized = 0

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func is torch.conv2d:
            return _convolution(*args, **(kwargs or {}))
        if func in NORMALIZATIONS:
            self.normalized += int(args[0].numel())
            return args[0]
        if func is F.linear:
            return func(args[0], args[1])  # a bias multiplies nothing
        if func in SHAPELESS:
            return args[0]
        return func(*args, **(kwargs or {}))


class _Uninitialized(TorchFunctionMode):
    """Leaves out what torch.nn.init does to weights whose values nobody will see."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if getattr(func, "__module__", None) == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


def _convolution(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    stride: tuple[int, int],
    padding: tuple[int, int] | str,
    dilation: tuple[int, int],
    groups: int,
) -> torch.Tensor:
    """torch.conv2d's shapes and products, of (N, C, H, W) by (D, C, h, w), with one linear."""
    if groups != 1 or isinstance(padding, str):
        raise HarnessError("complexity has no rule for grouped or 'same' convolutions")
    count, _, *sides = map(int, x.shape)
    _, channels, *kernel = map(int, weight.shape)
    rows = [
        (side + 2 * p - d * (k - 1) - 1) // s + 1
        for side, p, d, k, s in zip(sides, padding, dilation, kernel, stride, strict=True)
    ]
    patches = x.new_empty((count, *rows, channels * prod(kernel)))
    return F.linear(patches, weight.flatten(1)).permute(0, 3, 1, 2)


def complexity(
    model_or_name: nn.Module | str,
    image_size: int | None = None,
    block: str = "adaln-zero",
    num_classes: int = 1000,
) -> Complexity:
    """Count a DiT (a name from the zoo, or a built model) or a U-Net of Table 5 (a name).

    The remaining arguments belong to a DiT's name, as in `build`; image_size defaults to the
    family's (256 for DiT). A U-Net's image size is in its name. ADM-U is two networks, summed.
    Raises BadInput for what cannot be built or counted.
    """
    if isinstance(model_or_name, nn.Module):
        model = getattr(model_or_name, "_orig_mod", model_or_name)  # what torch.compile wrapped
        if not isinstance(model, DiT):
            raise BadInput(f"complexity counts a DiT or a name, not a {type(model).__name__}")
        shape = Architecture(
            **{field: getattr(model, field) for field in Architecture.__dataclass_fields__}
        )
        return _complexity(_name_of(shape), _dit(shape), shape.tokens)
    if model_or_name in UNETS:
        check_unet(model_or_name, image_size)
        counts = sum((_unet(part) for part in unets.parts(model_or_name)), Counter())
        return _complexity(model_or_name, counts, tokens=None)
    shape = architecture(model_or_name, image_size=image_size, block=block, num_classes=num_classes)
    return _complexity(model_or_name, _dit(shape), shape.tokens)


def count_family(family: Family, given: Input) -> Complexity:
    """Count a family's network for inputs of a shape; nothing is allocated.

    Raises HarnessError for an operator that there is no rule for, and BadInput for a network whose
    output has not the shape that was asked.
    """
    if isinstance(family, DiTFamily):
        shape = Architecture(**family.numbers(given))
        return _complexity(family.label, _dit(shape), shape.tokens)
    with torch.device("meta"), _Uninitialized():
        model = family.build(given)
        x = torch.zeros(1, given.channels, given.side, given.side)
        t, y = torch.zeros(1), torch.zeros(1, dtype=torch.long)
    wanted = (1, given.out_channels, given.side, given.side)
    try:
        counts = trace(model, (x, t, y), wanted)
    except BadInput as error:
        raise BadInput(f"the family {family.name!r} breaks its contract: {error}") from None
    return _complexity(family.label, counts, family.tokens(given))


def _complexity(name: str, counts: Counter[str], tokens: int | None) -> Complexity:
    return Complexity(
        name=name,
        gflops=counts["products"] / 1e9,
        gflops_paper=(counts["products"] + counts["normalized"]) / 1e9,
        params=counts["params"],
        activations=counts["activations"],
        tokens=tokens,
    )


@cache
def _dit(shape: Architecture) -> Counter[str]:
    """Count a DiT from its first two blocks: all blocks are alike, so every further one adds what
    the second did. (A test compares with the trace of a whole model, which takes far longer.)
    """
    one, two = trace_dit(replace(shape, depth=1)), trace_dit(replace(shape, depth=2))
    return Counter({kind: one[kind] + (shape.depth - 1) * (two[kind] - one[kind]) for kind in two})


def trace_dit(shape: Architecture) -> Counter[str]:
    """Count a DiT by tracing all of it: products, normalized, activations and params."""
    if shape.heads * shape.tokens**2 >= 2**60:  # the trace adds up bytes in 64 bits
        raise BadInput(f"{shape.tokens:,} tokens are too many to count: a smaller image, please")
    # Meta kernels are imported on first use, which takes seconds; a micro model is counted sooner
    # with its arithmetic done.
    small = shape.depth * shape.width**2 * shape.tokens < 1e7
    with torch.device("cpu" if small else "meta"), _Uninitialized():
        model = DiT(**vars(shape))
        x = torch.zeros(1, shape.channels, shape.input_size, shape.input_size)
        t = torch.zeros(1, dtype=torch.long)
    return trace(model, (x, t, t.clone()))


@cache
def _unet(name: str) -> Counter[str]:
    # Imported while tensors are real: older diffusers compute constants as they are imported.
    from diffusers import UNet2DConditionModel, UNet2DModel  # noqa: F401

    with torch.device("meta"), _Uninitialized():
        model = unets.Wrapped(unets.unet(name))
        inputs = unets.example_inputs(name)
    return trace(model, inputs)


class _Whole(nn.Module):
    """A model whose inner modules fvcore does not see: it would count each apart, in more time."""

    def __init__(self, model: nn.Module, shape: tuple[int, ...] | None) -> None:
        super().__init__()
        self.call, self.shape = model.forward, shape

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.call(*inputs)
        shape = tuple(map(int, out.shape)) if isinstance(out, torch.Tensor) else None
        if self.shape is not None and shape != self.shape:
            found = f"a {type(out).__name__}" if shape is None else f"the shape {shape}"
            raise BadInput(f"the network gives {found}, not a tensor of shape {self.shape}")
        return out


def trace(
    model: nn.Module, inputs: tuple[torch.Tensor, ...], shape: tuple[int, ...] | None = None
) -> Counter[str]:
    """Count any network by tracing it: products, normalized, activations and params.

    shape: of the output; BadInput is raised for another, where it is given. Raises HarnessError for
    an operator that is neither counted nor known to be free.
    """
    analysis = FlopCountAnalysis(_Whole(model.eval().requires_grad_(False), shape), inputs)
    analysis.clear_op_handles().set_op_handle(**HANDLES)
    # fvcore warns of every operator without a handle; those are checked against FREE below.
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    analysis.tracer_warnings("none")
    with _Shapes() as shapes:
        counts = analysis.by_operator()
    unknown = sorted(set(analysis.unsupported_ops()) - FREE)
    if unknown:
        raise HarnessError(
            f"complexity has no rule for {', '.join(unknown)}; give the operator a handle or list "
            "it as free in harness/models/counting.py"
        )
    params = sum(parameter.numel() for parameter in model.parameters())
    return Counter({**counts, "normalized": shapes.normalized, "params": params})


def _name_of(shape: Architecture) -> str:
    """The zoo's name for a shape, or a description of a custom one."""
    for family, entry in FAMILIES.items():
        for size, row in entry.sizes.items():
            if (row.depth, row.width, row.heads) == (shape.depth, shape.width, shape.heads):
                return f"{family}-{size}/{shape.patch_size}"
    return f"custom {shape.depth}x{shape.width}/{shape.patch_size}"
