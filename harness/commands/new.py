"""`new`: a study of your own, made from one that ships with the harness, written with comments.

Asks nothing. With --data it looks at a folder of images and fills in what it finds. What it writes
is checked first, under every profile.
"""

from __future__ import annotations

import argparse
import re
import shlex
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import harness
from harness.commands import commented, looked, schema
from harness.commands.common import plural
from harness.components import registry
from harness.errors import BadInput
from harness.spec import BadStudy, load_study, shipped
from harness.spec import source as yaml_source
from harness.spec.base import NAME
from harness.spec.schema import EvaluationSettings

COPIES = "near_copies"
LAPTOP_SIDE = 16  # pixels, as the default study's digits
GPU_SIDES = (64, 32, 16, 8)  # without an autoencoder; the patch sizes 8, 4 and 2 divide each
LATENT_SIDE = 256  # from this size on, the big profile trains on latents, as the paper does


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the study's name; NAME.yaml is written")
    parser.add_argument(
        "--from",
        metavar="STUDY",
        default="scaling",
        dest="template",
        help=f"the study to begin with: one of {', '.join(templates())} (default: scaling)",
    )
    parser.add_argument(
        "--data",
        metavar="FOLDER",
        help="your images: a folder per class, a folder without classes, tar shards, parquet or "
        "numpy files; classes, sizes and counts are filled in",
    )


def run(args: argparse.Namespace) -> int:
    if not re.fullmatch(NAME, args.name) or len(args.name) > 80:
        raise BadInput(
            f"NAME is {args.name!r}: use letters, digits, '.', '_' and '-', the first a letter or "
            "a digit, 80 of them at most"
        )
    path = Path(f"{args.name.removesuffix('.yaml')}.yaml")
    if path.exists():
        raise BadInput(f"{path} is there already: choose another NAME, or move it away")
    template = read_template(args.template)
    found = looked.look(args.data) if args.data is not None else None
    study = compose(path.stem, template, found)
    report = check(study, path.name, args.template)
    text = header(path, args, study, found) + commented.dump(study)
    schema.write(path.parent)  # first: without it the study would be there, and the name taken
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise BadInput(f"{path} is there already: choose another NAME, or move it away") from None
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}") from None
    print(f"{path}: {_in_a_line(found.sentence) if found else 'the data of ' + args.template}")
    for line in report:
        print(f"  {line}")
    for note in found.notes if found else ():
        print(f"note: {note}", file=sys.stderr)
    print(
        f"see what it would do:  python -m harness plan {path}\n"
        f"do it:                 python -m harness run {path}"
    )
    return 0


def check(study: dict[str, Any], name: str, template: str) -> list[str]:
    """Load the study under each profile, and leave out those that the images do not fit.

    Returns a line about each profile. Raises BadInput, naming the template, when even the first
    does not fit.
    """
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / name
        draft.write_text(commented.dump(study), encoding="utf-8")
        for i, profile in enumerate(list(study["profiles"])):
            try:
                lines.append(
                    f"{profile}: {plural(len(load_study(draft, profile).runs), 'run')}, checked"
                )
            except BadStudy as error:
                reasons = [line.partition(": ")[2] for line in str(error).splitlines()]
                if i == 0:
                    raise BadInput(
                        f"--from {template} does not go with these images: {'; '.join(reasons)}"
                    ) from None
                lines.append(f"{profile}: left out, as {reasons[0]}")
                del study["profiles"][profile]
    return lines


def templates() -> list[str]:
    """The studies that one's own can begin with: those that train on a laptop."""
    found = []
    for name in shipped.names():
        laptop = _profiles(name).get("laptop") or {}
        if "train" in laptop:
            found.append(name)
    return found


def read_template(name: str) -> dict[str, Any]:
    """The content of a shipped study. Raises BadInput for one that trains nothing on a laptop."""
    known = templates()
    if name.replace("-", "_") not in known:
        raise BadInput(f"--from {name}: begin with one of {', '.join(known)}")
    return dict(yaml_source.read(shipped.find(name)).data)


def _profiles(name: str) -> Mapping[str, Any]:
    return yaml_source.read(shipped.folder() / f"{name}.yaml").data.get("profiles") or {}


def compose(name: str, template: Mapping[str, Any], found: looked.Found | None) -> dict[str, Any]:
    """The new study's content: the template's question, asked of the user's images."""
    study: dict[str, Any] = {"study": name}
    study["title"] = str(template["title"])
    for field in ("about", "profile", "seed", "model", "matrix", "diffusion"):
        if field in template:
            study[field] = template[field]
    profiles: Mapping[str, Any] = template["profiles"]
    if found is None:
        study |= {k: v for k, v in template.items() if k not in ("profiles", *study)}
        study["profiles"] = {k: v for k, v in profiles.items() if k != "smoke"}
        return study
    study["title"] += f", on {found.name}"
    study["profile"] = "laptop"
    study["data"] = found.settings()
    if "report" in template:
        study["report"] = template["report"]
    queue, big = _of_a_queue(profiles)
    study["profiles"] = {
        "laptop": _laptop(profiles["laptop"], found),
        "gpu": _gpu(big, found),
        queue: _cluster(big, found),
    }
    for profile in study["profiles"].values():
        profile["evaluations"] = {
            name: {**evaluation, **_metrics(evaluation, found), **_labels(found)}
            if evaluation
            else evaluation
            for name, evaluation in profile["evaluations"].items()
            if not (evaluation and "reference" in evaluation)  # features of weights not available
        }
        if "report" in profile:
            profile["report"] = _grids(profile["report"], int(study["data"]["num_classes"]))
    return study


def _grids(report: Mapping[str, Any], classes: int) -> dict[str, Any]:
    """A profile's report: the grids of single classes are of the first of the user's classes."""
    grids = report.get("grids", ())
    ours = dict(zip(dict.fromkeys(grid["label"] for grid in grids), range(classes), strict=False))
    kept = [{**grid, "label": ours[grid["label"]]} for grid in grids if grid["label"] in ours]
    return {**report, "grids": kept}


def _of_a_queue(profiles: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The template's first profile that runs in a queue, and the queue's name."""
    return next((queue, dict(p)) for p in profiles.values() if p and (queue := _queue_of(p)))


def _queue_of(profile: Mapping[str, Any]) -> str | None:
    """The name of the executor that a profile sets, where its stages outlive `run`."""
    named = profile.get("dispatch", {}).get("executor", "local")
    name = str(named if isinstance(named, str) else named["name"])
    executor: Any = registry.get("executor", name)
    return name if executor.policy == "queue" else None


def _metrics(evaluation: Mapping[str, Any], found: looked.Found) -> dict[str, Any]:
    """An evaluation's metrics, where the extractor cannot give all that it asks for.

    Of few images, which models learn by heart, the end of training is also asked for copies.
    """
    from harness.components import Extractor, Metric

    extractor = registry.get("extractor", found.extractor)
    assert issubclass(extractor, Extractor)
    asked = evaluation.get("metrics", EvaluationSettings.model_fields["metrics"].default)
    had = []
    for metric in asked:
        name = metric if isinstance(metric, str) else metric["name"]
        cls = registry.get("metric", name)
        assert issubclass(cls, Metric)
        if set(cls.needs) <= set(extractor.gives):
            had.append(metric)
    sweep = not isinstance(evaluation.get("sampling_steps", 1), int)
    if found.few and not sweep and evaluation.get("at") == "end" and COPIES not in had:
        had.append(COPIES)
    return {} if had == list(asked) else {"metrics": had}


def _labels(found: looked.Found) -> dict[str, Any]:
    """Samples in the data's proportions, where these are uneven: what they are compared with is."""
    return {"labels": "data"} if found.uneven else {}


def _laptop(own: Mapping[str, Any], found: looked.Found) -> dict[str, Any]:
    """The template's laptop profile, with the user's images."""
    changed = {
        "data": {"image_size": LAPTOP_SIDE},
        "reference": found.reference(most=5000, recall_images=2000),
    }
    return {section: changed.get(section, content) for section, content in own.items()}


def _asked(big: Mapping[str, Any]) -> dict[str, Any]:
    """The models that a profile asks for, where the study itself leaves them open."""
    return {section: big[section] for section in ("model", "matrix") if section in big}


def _gpu(big: Mapping[str, Any], found: looked.Found) -> dict[str, Any]:
    """One GPU: pixels, the paper's recipe with a quarter of its steps, 10,000 samples."""
    train = dict(big["train"])
    steps = int(train["steps"]) // 4
    train |= {"steps": steps, "milestones": [steps * i // 4 for i in (1, 2, 3, 4)]}
    return {
        **_asked(big),
        "data": {"image_size": next((s for s in GPU_SIDES if s <= found.side), GPU_SIDES[-1])},
        "autoencoder": {"name": "identity"},
        "train": train,
        "reference": found.reference(recall_images=10_000),
        "evaluations": _fewer(big["evaluations"], 10_000),
        "dispatch": {"executor": "local", "device": "cuda"},
    }


def _cluster(big: Mapping[str, Any], found: looked.Found) -> dict[str, Any]:
    """The template's big profile, with the user's images."""
    latent = found.side >= LATENT_SIDE
    side = LATENT_SIDE if latent else next((s for s in GPU_SIDES if s <= found.side), GPU_SIDES[-1])
    return {
        **_asked(big),
        "data": {"image_size": side},
        "autoencoder": big["autoencoder"] if latent else {"name": "identity"},
        "train": big["train"],
        "reference": found.reference(recall_images=10_000),
        "evaluations": big["evaluations"],
        "dispatch": big["dispatch"],
    }


def _fewer(evaluations: Mapping[str, Any], samples: int) -> dict[str, Any]:
    return {
        name: {**e, "samples": min(samples, int(e.get("samples", samples)))} if e else e
        for name, e in evaluations.items()
    }


def _in_a_line(text: str) -> str:
    """The text with escapes for line breaks and other characters that no comment may hold.

    >>> _in_a_line("my\\nimages, caf\u00e9")
    'my\\\\nimages, caf\u00e9'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def header(
    path: Path, args: argparse.Namespace, study: Mapping[str, Any], found: looked.Found | None
) -> str:
    """The comment that the study begins with."""
    words = ["python", "-m", "harness", "new", args.name, "--from", args.template]
    if args.data is not None:
        words += ["--data", args.data]
    lines = [
        f"# yaml-language-server: $schema={schema.FILE}",
        f"# Made by harness {harness.__version__}: {_in_a_line(shlex.join(words))}",
    ]
    if found is not None:
        lines.append(f"# Looked at: {_in_a_line(found.sentence)}")
    about = {
        "laptop": "micro models on a CPU. Try everything here first",
        "gpu": "one GPU, local",
    }
    for profile, content in study["profiles"].items():
        if profile == _queue_of(content):
            about[profile] = "a cluster; set partition, account and time as yours wants them"
    lines.append("#")
    for profile in study["profiles"]:
        lines.append(f"#   {profile:<12} {about.get(profile, f'as in {args.template}')}")
    commands = {
        f"plan {path}": "what it would do, and what it costs",
        f"run {path}": "do it; run it again to go on",
        "explain train.steps": "what a setting means",
    }
    width = max(map(len, commands))
    lines.append("#")
    lines += [f"#   python -m harness {c:<{width}}  {said}" for c, said in commands.items()]
    return "\n".join(lines) + "\n"
