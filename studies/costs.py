"""The tables of studies/README.md: what the paper's studies cost on a cluster.

    python studies/costs.py           prints them
    python studies/costs.py --write   puts them into the README

Arithmetic on the real plans: the stages, their Gflops and their arrays are those that `run
--detach` would submit. Only what stands in capitals below is assumed or was measured elsewhere.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import yaml

from harness.components.family import of_architecture
from harness.dispatch.executors import executor_of
from harness.dispatch.slurm.batch import arrange
from harness.plan import Plan, make_plan
from harness.plan.plan import Stage
from harness.spec import load_study

HERE = Path(__file__).resolve().parent
PEAK = {"A100": 312e12, "H100": 989e12}  # dense bf16 operations per second, by their data sheets
UTILISATION = 0.4  # assumed; `python -m harness bench` measures it
MAX_ARRAY = 1001  # SLURM's own default of MaxArraySize
IMAGES = {"imagenet": 1_281_167}
SHARD = 4096  # images per shard of latents (harness.data.encoding)
FEATURES = 2048 + 2023 + 1008  # float32 numbers that Inception-2015 gives per image
KEPT = 2048 + 1008  # of them, what an evaluation keeps for metrics that come later

# Files of one committed stage, manifest.json and record.json among them. A test counts them in a
# real run (tests/dispatch/test_costs.py), which does not depend on the models' size.
FILES = {
    **{"reference": 3, "encode": 3, "complexity": 2, "train": 5},
    **{"sample": 4, "floor": 2, "ceiling": 2, "evaluate": 2},
}
PER_SHARD = 3  # of encode: latents, labels, checksums
FEATURES_FILE = 1  # of sample, where features are kept instead of images; else of evaluate
EXTRACTOR_FILE = 1  # of reference, where the extractor is trained here
RECORDS = {
    "train": 2,
    "evaluate": 1,
    "floor": 1,
    "ceiling": 1,
}  # Parquet fragments, until compacted
BESIDE = 2  # of every stage: its attempt and its log
SLURM = {"stage": 1, "element": 2, "array": 3}  # state; out, err; packs, batch, script


BETWEEN = {"cifar10": 1, "imagenet64": 8}  # profiles of pixels -> GPUs that they are made for


def plans() -> dict[str, Plan]:
    """Every study under its paper profile, by "name (profile)"."""
    found = {}
    for path in sorted(HERE.glob("*.yaml")):
        for profile in yaml.safe_load(path.read_text()).get("profiles", {}):
            if profile.startswith("imagenet") and profile not in BETWEEN:
                found[f"{path.stem} ({profile})"] = make_plan(load_study(path, profile))
    return found


def eflops(stages: Iterable[Stage], kind: str) -> float:
    """10^18 multiply-accumulates of all stages of a kind."""
    return sum(s.gflops or 0.0 for s in stages if s.kind == kind) / 1e9


def decoding(stages: Iterable[tuple[Plan, Stage]]) -> float:
    """Eflops of decoding all samples."""
    return (
        sum(
            json.loads(stage.settings)["samples"] * _decoder(plan, stage.run)
            for plan, stage in stages
            if stage.kind == "sample"
        )
        / 1e9
    )


def _decoder(plan: Plan, run: int | None) -> float:
    """Gflops of decoding one image of a run."""
    its = plan.study.runs[run or 0]
    return its.codec.decoder_gflops(its.data.image_size) or 0.0


def hours(amount: float, gpu: str) -> float:
    """GPU-hours of so many Eflops: two operations per multiply-accumulate."""
    return amount * 1e18 / (PEAK[gpu] * UTILISATION / 2) / 3600


def tasks(plan: Plan) -> tuple[int, int]:
    """(sbatch calls, array elements) of `run --detach` on an empty results folder."""
    slurm = plan.study.settings.dispatch.slurm_for
    batches = arrange([plan.task(s) for s in plan.stages.values()], {}, slurm, MAX_ARRAY)
    return len(batches), sum(len(batch.packs) for batch in batches)


def features_alone(plan: Plan, stage: Stage) -> bool:
    """Of a stage that samples, or measures samples: are their features kept instead of images?"""
    drawn = plan.stages.get(stage.inputs.get("samples", stage.key), stage)
    return json.loads(drawn.settings).get("images") == "none"


def files(plan: Plan, stage: Stage) -> int:
    """Files that a stage leaves, SLURM's apart."""
    count = FILES[stage.kind] + RECORDS.get(stage.kind, 0) + BESIDE
    if stage.kind == "encode":
        images = IMAGES.get(plan.study.settings.data.name, plan.study.settings.data.train_images)
        count += PER_SHARD * math.ceil((images or 0) / SHARD)
    if stage.kind == ("sample" if features_alone(plan, stage) else "evaluate"):
        count += FEATURES_FILE
    reference = plan.study.settings.reference
    if stage.kind == "reference" and reference is not None and reference.extractor.trained:
        count += EXTRACTOR_FILE
    return count


def gigabytes(plan: Plan, stage: Stage) -> float:
    """A stage's large files, in 10^9 bytes."""
    settings = json.loads(stage.settings)
    run = plan.study.runs[stage.run or 0]
    if stage.kind == "train":  # weights, EMA, two moments; and the EMA again, to sample from
        return parameters(json.dumps(settings["architecture"])) * 4 * 5 / 1e9
    if stage.kind == "sample":
        image = run.data.image_size**2 * 3
        each = FEATURES * 4 if settings["images"] == "none" else image
        return settings["samples"] * each / 1e9
    if stage.kind == "evaluate" and not features_alone(plan, stage):
        drawn = json.loads(plan.stages[stage.inputs["samples"]].settings)
        return drawn["samples"] * KEPT * 4 / 1e9
    if stage.kind == "encode":  # mean and standard deviation of four channels, float16
        return IMAGES[run.data.name] * 2 * 4 * (run.data.image_size // 8) ** 2 * 2 / 1e9
    return 0.0


@functools.cache
def parameters(architecture: str) -> int:
    """Of a network, given its architecture as JSON."""
    import torch

    family, given = of_architecture(json.loads(architecture))
    with torch.device("meta"):
        model = family.build(given)
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def rounded(value: float) -> str:
    """Two digits, as what is assumed deserves."""
    if value < 1:
        return "0" if value < 0.05 else f"{value:.1g}"
    digits = -math.floor(math.log10(value)) + 1
    return f"{round(value, min(digits, 0)):,.0f}" if value >= 10 else f"{value:.1f}"


def tables() -> dict[str, str]:
    """Markdown tables by name."""
    known = plans()
    compute = [
        "| study (profile) | stages | train, Eflops | sample, Eflops | decode, Eflops "
        "| A100-hours | H100-hours |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    work = [
        "| study (profile) | sbatch calls | array elements | files | of which SLURM's |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    storage = [
        "| study (profile) | latents, GB | checkpoints, GB | samples or features, GB |",
        "| --- | ---: | ---: | ---: |",
    ]
    every: dict[str, tuple[Plan, Stage]] = {}
    for name, plan in known.items():
        stages = list(plan.stages.values())
        for stage in stages:  # a checkpoint costs least on the way from an earlier one
            known_cost = every[stage.key][1].gflops if stage.key in every else None
            if known_cost is None or (stage.gflops or 0.0) < known_cost:
                every[stage.key] = (plan, stage)
        compute.append(compute_row(name, [(plan, s) for s in stages]))
        arrays, elements = tasks(plan)
        slurm = SLURM["stage"] * len(stages) + SLURM["element"] * elements + SLURM["array"] * arrays
        if executor_of(plan.study).policy == "pool":
            arrays = elements = slurm = 0
        own = sum(files(plan, s) for s in stages)
        work.append(f"| {name} | {arrays:,} | {elements:,} | {own + slurm:,} | {slurm:,} |")
        storage.append(storage_row(name, [(plan, s) for s in stages]))
    compute.append(compute_row("**each stage once**", list(every.values())))
    storage.append(storage_row("**each stage once**", every.values()))
    total = sum(files(plan, s) for plan, s in every.values())
    work.append(f"| **each stage once** | | | {total:,} + SLURM's | |")
    rates = [
        "| GPU | peak bf16 | at 40 % utilisation (assumed) | GPU-hours per Eflop |",
        "| --- | --- | --- | --- |",
    ]
    for gpu, peak in PEAK.items():
        speed = peak * UTILISATION / 2 / 1e12
        rates.append(
            f"| {gpu} | {peak / 1e12:.0f} Tflop/s | {speed:.0f} T multiply-accumulates/s "
            f"| {hours(1, gpu):.1f} |"
        )
    kinds = Counter(stage.kind for _, stage in every.values())
    each = [
        "| stage | files of its artifact | records | stages of all studies |",
        "| --- | --- | ---: | ---: |",
        *(
            f"| {kind} | {_files_text(kind)} | {RECORDS.get(kind, 0)} | {kinds[kind]:,} |"
            for kind in FILES
        ),
    ]
    return {
        name: "\n".join(rows)
        for name, rows in {
            "rates": rates,
            "compute": compute,
            "between": between(),
            "work": work,
            "files": each,
            "storage": storage,
        }.items()
    }


def between() -> list[str]:
    """The table of the profiles between laptop and cluster, with hours on all their GPUs."""
    rows = [
        "| profile | stages | train, Eflops | sample, Eflops | GPUs | hours, A100 | hours, H100 |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for profile, gpus in BETWEEN.items():
        stages = list(make_plan(load_study(HERE / "scaling.yaml", profile)).stages.values())
        train, sample = (eflops(stages, kind) for kind in ("train", "sample"))
        taken = [rounded(hours(train + sample, gpu) / gpus) for gpu in PEAK]
        cells = f"{len(stages):,} | {train:,.1f} | {sample:,.1f} | {gpus} | {' | '.join(taken)}"
        rows.append(f"| {profile} | {cells} |")
    return rows


def _files_text(kind: str) -> str:
    more = {
        "encode": f", and {PER_SHARD} per shard of {SHARD:,} images",
        "sample": f" ({FILES['sample'] + FEATURES_FILE} with features instead of images)",
        "evaluate": f" ({FILES['evaluate'] + FEATURES_FILE} where images were kept)",
        "reference": f" ({FILES['reference'] + EXTRACTOR_FILE} with an extractor trained here)",
    }
    return f"{FILES[kind]}{more.get(kind, '')}"


def compute_row(name: str, stages: list[tuple[Plan, Stage]]) -> str:
    amounts = [eflops([s for _, s in stages], kind) for kind in ("train", "sample")]
    amounts.append(decoding(stages))
    cells = [f"{amount:,.1f}" for amount in amounts]
    cells += [rounded(hours(sum(amounts), gpu)) for gpu in PEAK]
    return f"| {name} | {len(stages):,} | {' | '.join(cells)} |"


def storage_row(name: str, stages: Iterable[tuple[Plan, Stage]]) -> str:
    sums = Counter({"encode": 0.0, "train": 0.0, "sample": 0.0})
    for plan, stage in stages:
        sums[stage.kind] += gigabytes(plan, stage)
    cells = " | ".join(rounded(sums[kind]) for kind in ("encode", "train", "sample"))
    return f"| {name} | {cells} |"


def filled(text: str) -> str:
    """The README with its tables as they are now, between their marks."""
    for name, table in tables().items():
        mark = rf"(<!-- {name}: [^>]*-->\n)[^<]*(<!-- end -->)"
        text, count = re.subn(mark, lambda m, t=table: f"{m[1]}\n{t}\n\n{m[2]}", text)
        if count != 1:
            raise SystemExit(f"studies/README.md has {count} places for the table {name!r}")
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description="The tables of studies/README.md.")
    parser.add_argument("--write", action="store_true", help="into studies/README.md")
    readme = HERE / "README.md"
    if parser.parse_args().write:
        readme.write_text(filled(readme.read_text()))
        return
    for name, table in tables().items():
        print(f"{name}\n\n{table}\n")


if __name__ == "__main__":
    main()
