from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest
import torch
from fvcore.nn import FlopCountAnalysis
from hypothesis import given, settings
from hypothesis import strategies as st
from slowness import slowness

from harness.components import Input, registry
from harness.errors import BadInput, HarnessError
from harness.models import build, complexity, counting
from harness.models.zoo import BLOCKS, UNETS, Architecture, architecture
from harness.paper import table

# The published counts, to the parameter (every row of Table 3 rounds to millions from these).
PARAMETERS = {
    "DiT-S": (33_142_016, 32_920_448, 32_865_056),
    "DiT-B": (130_869_248, 130_426_496, 130_315_808),
    "DiT-L": (458_578_432, 457_988_224, 457_840_672),
    "DiT-XL": (675_664_640, 675_000_704, 674_834_720),
}
XL2_PARAMETERS = {
    "adaln-zero": 674_834_720,
    "in-context": 449_162_528,
    "cross-attention": 597_927_200,
    "adaln": 600_452_384,
}
UNET_COUNTS = {  # (parameters in millions, strict Gflops) of ADM's and LDM's own implementations
    "ADM-64": (295.904, 109.678),
    "ADM-128": (421.530, 306.928),
    "ADM-256": (553.838, 1119.833),
    "ADM-512": (558.998, 1982.335),
    "ADM-upsampler-256": (311.796, 631.642),
    "ADM-upsampler-512": (308.835, 2504.785),
    "LDM-4": (400.921, 104.224),
    "LDM-8": (394.984, 57.036),
}


def closed_form(shape: Architecture) -> dict[str, int]:
    """The counts by hand: one multiply-accumulate per weight and position, and the attention."""
    d, depth, t, p = shape.width, shape.depth, shape.tokens, shape.patch_size
    length = t + 2 if shape.block == "in-context" else t
    modulations = {"adaln-zero": 6, "adaln": 4}.get(shape.block, 0)
    cross = shape.block == "cross-attention"
    patch, outputs = p * p * shape.channels, p * p * 2 * shape.channels
    block = 12 * length * d * d + 2 * length * length * d + modulations * d * d
    # Queries and outputs for T positions, keys and values for [t, y], and 2 T x 2 products.
    block += cross * (2 * t * d * d + 4 * d * d + 4 * t * d)
    final = 2 * d * d if modulations else 0
    weights = 12 * d * d + 9 * d + modulations * (d * d + d)
    weights += cross * (4 * d * d + 4 * d) + (0 if modulations else 4 * d)
    embedders = 256 * d + d * d + 2 * d + (shape.num_classes + 1) * d + patch * d + d
    norms = 2 * d * d + 2 * d if modulations else 2 * d
    return {
        "products": depth * block + 256 * d + d * d + t * patch * d + t * d * outputs + final,
        "normalized": depth * 2 * length * d + t * d,
        "params": depth * weights + embedders + norms + d * outputs + outputs,
    }


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    block=st.sampled_from(BLOCKS),
    depth=st.integers(1, 4),
    heads=st.integers(1, 3),
    per_head=st.integers(1, 12),
    patch_size=st.integers(1, 3),
    grid=st.integers(1, 5),
    channels=st.integers(1, 4),
    num_classes=st.integers(1, 20),
)
def test_any_shape_counts_what_its_formula_gives(heads, per_head, grid, **numbers):
    shape = architecture(
        width=heads * per_head, heads=heads, input_size=grid * numbers["patch_size"], **numbers
    )
    counted = counting._dit(shape)
    assert {kind: counted[kind] for kind in ("products", "normalized", "params")} == closed_form(
        shape
    )


@pytest.mark.slow
@pytest.mark.parametrize("block", BLOCKS)
def test_two_blocks_tell_what_all_of_them_cost(block):
    shape = architecture("DiT-S/4", block=block)
    assert counting._dit(shape) == counting.trace_dit(shape)


@pytest.mark.slow
def test_every_row_of_table_3_is_met_to_a_thousandth_or_its_rounding():
    for row in table("table3_models"):
        counted = complexity(row["model"], row["image_size"], row["block"])
        off = abs(counted.gflops - row["gflops"])
        assert off <= max(0.001 * row["gflops"], 0.005 + 1e-9), (row, counted)
        assert round(counted.params / 1e6) == row["params_m"], row
        family, patch = row["model"].split("/")
        exact = dict(zip("842", PARAMETERS[family], strict=True))[patch]
        if row["block"] != "adaln-zero":
            exact = XL2_PARAMETERS[row["block"]]
        assert counted.params == exact


@pytest.mark.slow
def test_counting_norms_reproduces_16_rows_of_table_3_to_two_decimals():
    met = [
        round(complexity(row["model"], row["image_size"], row["block"]).gflops_paper, 2)
        == row["gflops"]
        for row in table("table3_models")
    ]
    assert (len(met), sum(met)) == (19, 16)


@pytest.mark.slow
def test_xl_2_is_118_6_gflops_with_its_attention_and_without_layer_norms():
    counted = complexity("DiT-XL/2")
    assert counted.gflops == pytest.approx(118.6214, abs=5e-5)
    assert counted.tokens == 256
    # What fvcore alone gives, the reason for the handles: no attention, LayerNorm at 4 per element.
    with torch.device("meta"):
        model = build("DiT-XL/2").eval().requires_grad_(False)
        t = torch.zeros(1, dtype=torch.long)
        inputs = (torch.zeros(1, 4, 32, 32), t, t)
    plain = FlopCountAnalysis(model, inputs).unsupported_ops_warnings(False)
    assert plain.uncalled_modules_warnings(False).total() / 1e9 == pytest.approx(114.4608, abs=0.07)


@pytest.mark.slow
def test_the_largest_model_has_over_a_billion_parameters():
    counted = complexity("DiT-XXL/2")
    assert counted.params == 1_368_781_856
    assert counted.gflops == pytest.approx(238.850, abs=5e-4)
    shape = architecture("DiT-XXL/2")
    assert counted.params == closed_form(shape)["params"]
    assert complexity("DiT-XXL/2", 512).gflops * 1e9 == pytest.approx(
        closed_form(architecture("DiT-XXL/2", image_size=512))["products"]
    )


@pytest.mark.slow
def test_a_built_model_counts_as_its_name_does():
    assert complexity(build("DiT-micro-S/2", image_size=16)) == complexity("DiT-micro-S/2", 16)
    custom = build(depth=3, width=40, heads=5, patch_size=2, input_size=8, num_classes=3)
    assert complexity(custom).name == "custom 3x40/2"
    assert complexity(custom).params == sum(p.numel() for p in custom.parameters())


@pytest.mark.slow
def test_a_micro_model_is_counted_in_half_a_second():
    complexity("DiT-micro-S/8")
    start = time.process_time()
    complexity("DiT-micro-XL/4", 16)
    assert time.process_time() - start < 0.5 * slowness()


def test_derived_costs_follow_the_papers_definitions():
    counted = complexity("DiT-micro-S/2")
    assert counted.sampling_gflops(250) == 250 * counted.gflops
    assert counted.sampling_gflops(250, guidance_scale=1.5) == 500 * counted.gflops
    assert counted.training_gflops(256, 1000) == pytest.approx(3 * 256_000 * counted.gflops)


def test_activations_are_what_products_write():
    shape = architecture(depth=1, width=8, heads=2, patch_size=2, input_size=4, channels=1)
    t, d = 4, 8
    linears = t * (3 * d + d + 4 * d + d) + 6 * d  # of the block
    ends = t * d + 2 * d + 2 * d + t * 8  # patches, timestep MLP, final modulation, output
    assert counting._dit(shape)["activations"] == linears + t * d + ends


class Multiplies(torch.nn.Module):
    """One operator that multiplies matrices, hidden from the handles."""

    def __init__(self, operation):
        super().__init__()
        self.operation = operation

    def forward(self, x):
        return self.operation(x)


@pytest.mark.parametrize(
    "operation",
    [
        lambda x: torch.einsum("nij,njk->nik", x, x),
        lambda x: torch.baddbmm(x, x, x),
        lambda x: torch.nn.functional.conv_transpose1d(x, x),
        lambda x: torch.nn.functional.bilinear(x, x, x[:1].expand(4, 4, 4)),
        lambda x: torch.cdist(x, x),
        lambda x: torch.addbmm(x[0], x, x),
        lambda x: torch.addmv(x[0, 0], x[0], x[0, 0]),
        lambda x: torch.linalg.inv(x),
        lambda x: torch.cumsum(x, 0),
    ],
)
def test_an_operator_is_counted_or_refused_and_never_silently_free(operation):
    x = torch.randn(4, 4, 4)
    try:
        counted = counting.trace(Multiplies(operation), (x,))
    except HarnessError as error:
        assert "no rule for aten::" in str(error)
    else:
        assert counted["products"] > 0


class Answering(torch.nn.Module):
    """A network whose output is not what was asked."""

    def __init__(self, answer) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, x, t, y):
        return self.answer(x)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            lambda x: torch.cat([x, x], 1),
            r"the shape \(1, 6, 8, 8\), not a tensor of shape \(1, 3, 8",
        ),
        (lambda x: (x, x), "gives a tuple, not a tensor"),
        (lambda x: x[..., ::2], r"the shape \(1, 3, 8, 4\)"),
    ],
)
def test_a_network_whose_output_is_not_what_was_asked_is_not_counted(monkeypatch, answer, said):
    family = registry.get("family", "U-ViT")(depth=3, width=16, heads=2, patch_size=4)
    monkeypatch.setattr(type(family), "build", lambda self, given: Answering(answer))
    with pytest.raises(BadInput, match=f"the family 'U-ViT' breaks its contract: .*{said}"):
        counting.count_family(family, Input(8, 3, 10, 3))


def test_what_cannot_be_counted_is_refused():
    with pytest.raises(BadInput, match="not a Linear"):
        complexity(torch.nn.Linear(2, 2))
    with pytest.raises(BadInput, match="256 pixels, not 64"):
        complexity("ADM-256", 64)
    with pytest.raises(BadInput, match="nearest names: LDM-4"):
        complexity("LDM-44")


@pytest.mark.slow
def test_ldm_8_is_the_network_of_table_5():
    counted = complexity("LDM-8")
    assert counted.params / 1e6 == pytest.approx(UNET_COUNTS["LDM-8"][0], abs=6e-4)
    assert counted.gflops == pytest.approx(UNET_COUNTS["LDM-8"][1], rel=1e-4)


COUNT_ALL = """
import json, re, time
from dataclasses import asdict
import warnings; warnings.simplefilter("ignore")
from harness.models import complexity
from harness.models.zoo import UNETS
from harness.paper import table
def loop():
    began = time.process_time()
    sum(i for i in range(5_000_000))
    return time.process_time() - began
before = loop()
rows = [asdict(complexity(r["model"], r["image_size"], r["block"])) for r in table("table3_models")]
unets = {name: asdict(complexity(name)) for name in UNETS}
peak = re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())  # maxrss outlives exec
seconds = time.process_time() - before
print(json.dumps({"rows": len(rows), "unets": unets, "seconds": seconds,
                  "loops": [before, loop()], "bytes": 1024 * int(peak[1])}))
"""


@pytest.mark.full
def test_tables_3_and_5_are_counted_in_20_seconds_and_2_gigabytes():
    tried = []
    for _ in range(2):  # the better of two: other processes share this machine
        done = subprocess.run(
            [sys.executable, "-c", COUNT_ALL], capture_output=True, text=True, check=True
        )
        found = json.loads(done.stdout)
        assert found["rows"] == 19
        assert found["bytes"] < 2e9
        # Processor time, imports included, over the slowdown of this core at this moment: a loop
        # of known size takes 0.225 s on an idle core of the machine the 20 seconds are meant for.
        slowdown = max(1.0, sum(found["loops"]) / len(found["loops"]) / 0.225)
        tried.append((found["seconds"], slowdown))
        if found["seconds"] <= 20 * slowdown:
            break
    seconds, slowdown = tried[-1]
    assert seconds <= 20 * slowdown, f"(seconds, slowdown of the machine): {tried}"
    unets = found["unets"]
    assert set(unets) == set(UNETS)
    for name, (params, gflops) in UNET_COUNTS.items():
        assert unets[name]["params"] / 1e6 == pytest.approx(params, abs=6e-4), name
        # LDM: 0.003% more, a class token's second attention product, which the reference lacks.
        assert unets[name]["gflops"] == pytest.approx(gflops, rel=5e-5), name
    for row in table("table5_unets"):
        name = row["model"] if row["model"] in UNETS else f"{row['model']}-{row['image_size']}"
        off = abs(unets[name]["gflops"] - row["total_gflops"])
        assert off <= max(0.001 * row["total_gflops"], 0.5), name
    for whole, base, upsampler in (
        ("ADM-U-256", "ADM-64", "ADM-upsampler-256"),
        ("ADM-U-512", "ADM-128", "ADM-upsampler-512"),
    ):
        for field in ("gflops", "gflops_paper", "params", "activations"):
            parts = unets[base][field] + unets[upsampler][field]
            assert unets[whole][field] == pytest.approx(parts)


def test_an_image_too_large_to_count_is_refused_in_words():
    with pytest.raises(BadInput, match="too many to count"):
        complexity("DiT-S/8", 4_096_000)
