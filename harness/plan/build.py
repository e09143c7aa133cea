"""Building a plan: a study's runs to stages, each once, in dependency order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from harness.autoencoders import properties
from harness.errors import BadInput
from harness.plan import cost, keys
from harness.plan.plan import Measurement, Plan, Stage
from harness.spec.schema import DataSettings, EvaluationSettings, GuidanceSettings
from harness.spec.study import Run, Study

# A file that a reference is made of is known by its checksum, where the study gives one, else by
# its name, wherever it lies. ADM's own files are what statistics are taken to be.
ADM_STATISTICS = ("VIRTUAL_imagenet256_labeled.npz", "VIRTUAL_imagenet512.npz")
OWN_WEIGHTS = ("inception-custom",)  # extractors whose weights may be any file


def make_plan(study: Study, imported: Mapping[str, Imported] | None = None) -> Plan:
    """All stages of a study. Pure: touches no file.

    `imported`: the checkpoints that `model: {checkpoint: NAME}` may name. Raises BadInput for one
    that is not among them.
    """
    plan = Plan(study)
    for i, run in enumerate(study.runs):
        if run.model.checkpoint is not None:
            _add_imported(plan, i, run, imported or {})
        else:
            _add_run(plan, i, run)
    for name in study.settings.baselines:
        plan.add(
            "complexity",
            keys.canonical({"architecture": None, "baseline": name}),
            {},
            (name,),
        )
    return plan


@dataclass(frozen=True)
class Imported:
    """A foreign checkpoint that `harness import` made an artifact of kind train."""

    name: str
    key: str
    architecture: Mapping[str, Any]
    settings: str  # canonical JSON of the artifact's settings
    steps: int | None  # training steps, when known


def _add_imported(plan: Plan, index: int, run: Run, imported: Mapping[str, Imported]) -> None:
    """An imported checkpoint's stages: it is committed already, so it is only sampled."""
    name = run.model.checkpoint or ""
    if name not in imported:
        near = ", ".join(sorted(imported)) or "none"
        raise BadInput(
            f"model.checkpoint {name!r} was not imported into this results folder (imported: "
            f"{near}); first: python -m harness import FILE --name {name}"
        )
    given = imported[name]
    arch = dict(given.architecture)
    side, channels = input_shape(run)
    if (arch["input_size"], arch["channels"]) != (side, channels):
        raise BadInput(
            f"checkpoint {name!r} takes {arch['channels']}x{arch['input_size']}x"
            f"{arch['input_size']} inputs; data.image_size {run.data.image_size} through the "
            f"{run.autoencoder.name} autoencoder gives {channels}x{side}x{side}"
        )
    made = json.loads(given.settings)
    for field, theirs, ours in (
        ("data.num_classes", arch["num_classes"], run.data.num_classes),
        ("diffusion.steps", made["diffusion_steps"], run.diffusion.steps),
        ("autoencoder.name", made["autoencoder"], run.autoencoder.name),
    ):
        if theirs != ours:
            raise BadInput(
                f"checkpoint {name!r} was imported with {field} {theirs}, the study says {ours}: "
                "its samples would not be what the study means"
            )
    plan.add(
        "complexity",
        keys.canonical({"architecture": arch, "baseline": None}),
        {},
        (run.model.label,),
        run=index,
    )
    plan.stages[given.key] = Stage(
        "train", given.key, given.settings, {}, {}, (f"{name} (imported)",), 0.0, index
    )
    plan.run_ids.append(given.key)
    gflops = cost.dit_gflops(
        arch["depth"], arch["width"], arch["patch_size"], side, channels, arch["block"]
    )
    _evaluations(plan, index, run, run.label, {given.steps or 0: given.key}, gflops)


def _images(data: DataSettings, train: bool) -> dict[str, Any]:
    out = {
        k: getattr(data, k)
        for k in (
            "name",
            "source",
            "fingerprint",
            "image_size",
            "channels",
            "num_classes",
            "seed",
        )
    }
    made = train and data.source == "embedded"  # files are read whole: the number is only checked
    out["train_images"] = data.train_images if made else None
    return out


def input_shape(run: Run) -> tuple[int, int]:
    """(side, channels) of the model's input."""
    side = run.data.image_size // properties.factor(run.autoencoder.name)
    return side, properties.channels(run.autoencoder.name, run.data.channels)


def architecture(run: Run) -> dict[str, Any]:
    """The run's model by its numbers."""
    depth, width, heads = run.model.shape
    side, channels = input_shape(run)
    return {
        "depth": depth,
        "width": width,
        "heads": heads,
        "patch_size": run.model.patch_size,
        "block": run.model.block,
        "input_size": side,
        "channels": channels,
        "num_classes": run.data.num_classes,
    }


def run_gflops(run: Run) -> float:
    """Strict Gflops of the run's model."""
    a = architecture(run)
    return cost.dit_gflops(
        a["depth"], a["width"], a["patch_size"], a["input_size"], a["channels"], a["block"]
    )


def _add_run(plan: Plan, index: int, run: Run) -> None:
    arch = plan.text("arch", run.model, run.data, run.autoencoder, make=lambda: architecture(run))
    gflops = run_gflops(run)
    complexity = plan.add(
        "complexity",
        f'{{"architecture":{arch},"baseline":null}}',
        {},
        (run.model.label, "" if run.model.block == "adaln-zero" else f" {run.model.block}"),
        run=index,
    )
    if run.train is None:
        plan.run_ids.append(None)
        return
    train = run.train
    encode = plan.add(
        "encode",
        plan.text(
            "encode",
            run.data,
            run.autoencoder,
            make=lambda: {
                "data": _images(run.data, train=True),
                "autoencoder": run.autoencoder.name,
                "autoencoder_sha256": run.autoencoder.sha256,
            },
        ),
        {},
        (f"{run.data.name} {run.data.image_size}x{run.data.image_size}",),
        run=index,
    )
    recipe = plan.text(
        "recipe", train, make=lambda: keys.content(train, leave_out=("steps", "milestones"))
    )
    flip = "true" if run.data.flip else "false"
    head = (
        f'{{"architecture":{arch},"diffusion_steps":{run.diffusion.steps},"flip":{flip},'
        f'"recipe":{recipe},"seed":{run.seed}'
    )
    plan.run_ids.append(keys.run_id(encode, f"{head}}}"))

    evaluations = plan.study.evaluations
    label = run.label
    checkpoints: dict[int, str] = {}
    previous: int | None = None
    for step in sorted({train.steps, *_steps(evaluations.values(), run)}):
        after = {"complexity": complexity}
        if previous is not None:
            after["previous"] = checkpoints[previous]
        checkpoints[step] = plan.add(
            "train",
            f'{head},"step":{step}}}',
            {"data": encode},
            (label, f" to {step:,}"),
            cost.training_gflops(gflops, train.batch_size, step - (previous or 0)),
            after,
            index,
        )
        previous = step
    _evaluations(plan, index, run, label, checkpoints, gflops)


def _evaluations(
    plan: Plan, index: int, run: Run, label: str, checkpoints: dict[int, str], gflops: float
) -> None:
    settings, evaluations = plan.study.settings, plan.study.evaluations
    if settings.reference is None or not evaluations:
        return
    reference = plan.add(
        "reference",
        plan.text("reference", settings.reference, run.data, make=lambda: _reference(plan, run)),
        {},
        (f"{run.data.name} {settings.reference.extractor}",),
        run=index,
    )
    for name, evaluation in evaluations.items():
        _add_evaluation(plan, index, run, label, name, evaluation, checkpoints, reference, gflops)


def _reference(plan: Plan, run: Run) -> dict[str, Any]:
    reference = plan.study.settings.reference
    assert reference is not None
    whole_set = reference.images is None and reference.statistics_sha256 is None
    # Written since two references had one key; where they are not, the older keys stand.
    later: dict[str, Any] = {}
    if reference.statistics is not None:
        name = Path(reference.statistics).name
        if reference.statistics_sha256 is None and name not in ADM_STATISTICS:
            later["statistics"] = name
    elif whole_set and run.data.source != "embedded":
        later["from_images"] = True
    if reference.extractor in OWN_WEIGHTS and reference.extractor_sha256 is None:
        later["extractor_weights"] = Path(reference.extractor_weights or "").name
    return {**later, "data": _images(run.data, train=whole_set), **keys.content(reference)}


def _steps(evaluations: Iterable[EvaluationSettings], run: Run) -> Iterator[int]:
    for evaluation in evaluations:
        yield from _at(evaluation, run)


def _at(evaluation: EvaluationSettings, run: Run) -> tuple[int, ...]:
    assert run.train is not None
    if evaluation.at == "end":
        return (run.train.steps,)
    if evaluation.at == "milestones":
        return run.train.milestones
    return evaluation.at  # type: ignore[return-value]


def _add_evaluation(
    plan: Plan,
    index: int,
    run: Run,
    label: str,
    name: str,
    evaluation: EvaluationSettings,
    checkpoints: dict[int, str],
    reference: str,
    gflops: float,
) -> None:
    text, evaluate_key, variants = plan.once(
        ("variants", evaluation, run.model, run.data, run.autoencoder),
        lambda: _variants(evaluation, run, gflops),
    )
    for step in _at(evaluation, run) if run.model.checkpoint is None else checkpoints:
        checkpoint, at = checkpoints[step], f" at {step:,}: "
        for v in variants:
            words, inputs = (label, at, v.words), {"checkpoint": checkpoint}
            if evaluation.keep_images == "none":  # features are extracted as samples are decoded
                inputs["reference"] = reference
            sample = plan.add(
                "sample", v.text, inputs, words, v.price, None, index, name, v.key(*inputs.values())
            )
            inputs = {"reference": reference, "samples": sample}
            key = evaluate_key(reference, sample)
            plan.add("evaluate", text, inputs, words, None, None, index, name, key)
            plan.measurements.append(
                Measurement(index, name, step, v.steps, v.scale, checkpoint, sample, key)
            )


class _Variant(NamedTuple):
    """One way of sampling that an evaluation asks for."""

    steps: int
    scale: float
    text: str  # canonical settings of the sample stage
    key: keys.KeyMaker
    words: str
    price: float


def _variants(
    evaluation: EvaluationSettings, run: Run, gflops: float
) -> tuple[str, keys.KeyMaker, list[_Variant]]:
    """What is the same for every checkpoint: the evaluate settings, and the ways to sample."""
    measured = {
        "metrics": evaluation.metrics,
        "k": evaluation.k,
        "split_size": evaluation.split_size,
        "subsets": evaluation.subsets,
    }
    text = keys.canonical(measured)
    variants = []
    for n in _each(evaluation.sampling_steps):
        for guidance in _each(evaluation.guidance):
            drawn = keys.canonical(_sample(evaluation, n, guidance, run))
            words = f"{evaluation.samples:,} samples, {n} steps"
            if guidance.scale != 1.0:
                words += f", guidance {guidance.scale:g}"
                if guidance.channels != 3:
                    words += f" on {guidance.channels or 'all'} channels"
                if guidance.interval is not None:
                    words += " at timesteps {} to {}".format(*guidance.interval)
            if evaluation.decoder is not None:
                words += f", decoder {evaluation.decoder}"
            extracts = evaluation.keep_images == "none"
            roles = ("checkpoint", "reference") if extracts else ("checkpoint",)
            maker = keys.KeyMaker("sample", drawn, roles)
            price = evaluation.samples * cost.sampling_gflops(
                gflops, n, guidance.scale, guidance.interval, run.diffusion.steps
            )
            variants.append(_Variant(n, guidance.scale, drawn, maker, words, price))
    return text, keys.KeyMaker("evaluate", text, ("reference", "samples")), variants


def _each(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _sample(
    evaluation: EvaluationSettings, n: int, guidance: GuidanceSettings, run: Run
) -> dict[str, Any]:
    guided = guidance.scale != 1.0
    # Settings that came after the first results were recorded: written where they change what is
    # drawn, so that the older keys stand.
    later: dict[str, Any] = {}
    if guided and guidance.interval is not None:
        later["guidance_interval"] = guidance.interval
    if evaluation.clip:
        later["clip"] = True
    return {
        **later,
        "sampler": evaluation.sampler,
        "sampling_steps": n,
        "eta": evaluation.eta if evaluation.sampler == "ddim" else None,
        "guidance_scale": guidance.scale,
        "guidance_channels": guidance.channels if guided else None,
        "samples": evaluation.samples,
        "seed": evaluation.seed,
        "autoencoder": run.autoencoder.name,
        "autoencoder_sha256": run.autoencoder.sha256,
        "decoder": evaluation.decoder or run.autoencoder.decoder,
        "precision": evaluation.precision,
        "tf32": evaluation.tf32,
        "images": evaluation.keep_images,
    }
