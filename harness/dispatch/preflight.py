"""What must be there before anything is started: data, weights, programs. Torch-free."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path

from harness.dispatch.ledger import Attempt, Ledger
from harness.errors import BadInput
from harness.plan.plan import Plan, Stage
from harness.spec.study import Study


def problems(study: Study, missing: Iterable[Stage]) -> list[str]:
    """Everything that is missing on this machine for the stages still to do, as sentences."""
    settings = study.settings
    kinds = {s.kind for s in missing}
    found: list[str] = []
    if not kinds:
        return found
    if settings.dispatch.executor == "slurm" and shutil.which("sbatch") is None:
        found.append(
            f"sbatch is not on the PATH of {socket.gethostname()}: SLURM was asked for "
            "(dispatch.executor). Start it on a login node of the cluster, or run it on this "
            "machine with --executor local"
        )
    if settings.dispatch.executor == "local" and settings.dispatch.device == "cuda":
        from harness.dispatch.local import gpus

        if not gpus():
            found.append("no NVIDIA GPU is visible (dispatch.device is cuda)")
    if kinds & {"encode", "reference"}:
        found += _data(study, kinds)
    if kinds & {"encode", "sample"}:
        found += _autoencoder(study)
    if kinds & {"reference", "evaluate"}:
        found += _reference(study, kinds)
    return list(dict.fromkeys(found))


def settle_jobs(plan: Plan, ledger: Ledger, latest: Mapping[str, Attempt]) -> None:
    """Stages given to SLURM before this run on local workers: the dead are written down as lost.

    Raises BadInput when some live: two processes would share their checkpoints.
    """
    living, trouble = living_jobs(plan, ledger, latest)
    if living:
        silent = f" ({trouble})" if trouble else ""
        raise BadInput(
            f"{len(living):,} stages of {plan.study.name} were given to SLURM and are not over "
            f"there{silent}: go on with them (--executor slurm), or end them with `harness cancel` "
            "before you run them here"
        )


def given_to_slurm(attempt: Attempt | None) -> bool:
    """May a job be at this attempt? Where there is no squeue nothing is known, and nobody asks."""
    given = attempt is not None and attempt.state == "running" and attempt.batch is not None
    return given and shutil.which("squeue") is not None


def living_jobs(
    plan: Plan, ledger: Ledger, latest: Mapping[str, Attempt]
) -> tuple[set[str], str | None]:
    """Keys of attempts that live on SLURM, and why it did not answer, if it did not.

    Those whose jobs are over are written down as lost.
    """
    given = {k: a for k, a in latest.items() if given_to_slurm(a)}
    if not given:
        return set(), None
    from harness.dispatch.slurm.jobs import SlurmJobs

    jobs = SlurmJobs(ledger.root, plan.study)
    living = set()
    for key, attempt in given.items():
        event = jobs.adopt(plan.task(plan.stages[key]), attempt)
        if event is None:
            living.add(key)
        elif ledger.read(attempt).state == "running":  # its task has not just said how it ended
            ledger.end(attempt, "lost", "lost", str(event.content.get("message") or event.event))
    return living, jobs.queue.trouble


def still_on_slurm(plan: Plan, ledger: Ledger, keys: Iterable[str]) -> set[str]:
    """Of stages that were given to SLURM, those that are not over and that no process claims."""
    latest = {k: a for k in keys if (a := ledger.last(k)) is not None}
    unclaimed = {k: a for k, a in latest.items() if not ledger.alive(k)}  # by one who submits it
    return living_jobs(plan, ledger, unclaimed)[0]


def _data(study: Study, kinds: set[str]) -> list[str]:
    found = []
    for data in {id(r.data): r.data for r in study.runs}.values():
        reads = "encode" in kinds or (
            study.settings.reference is not None and study.settings.reference.statistics is None
        )
        if data.source.made or not reads:
            continue
        if data.path is None:
            found.append(f"data.path is not set: where do the images of {data.name!r} lie?")
        elif not Path(data.path).exists():
            layout = (
                "one folder of images per class"
                if data.source.name == "image-folder"
                else "tar shards of image and class files"
            )
            found.append(
                f"the images of {data.name!r} are not at {data.path} ({layout}); put them there or "
                "say --set data.path=FOLDER"
            )
    return found


def _autoencoder(study: Study) -> list[str]:
    found = []
    for run in {id(r.autoencoder): r for r in study.runs}.values():
        weights = run.autoencoder.weights
        if run.autoencoder.name == "identity":
            continue
        if weights is not None and not Path(weights).exists():
            found.append(f"autoencoder weights are not at {weights} (autoencoder.weights)")
        elif weights is None and not _hub_cache():
            found.append(
                f"the {run.autoencoder.name} weights are not in the Hugging Face cache; they are "
                "downloaded when first needed, which wants a network: without one, say "
                "--set autoencoder.weights=FOLDER (a diffusers folder with config.json, or with "
                "one such folder per decoder in it: original/, ft-mse/, ft-ema/)"
            )
    return found


def _hub_cache() -> bool:
    home = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface"))
    cache = Path(os.environ.get("HF_HUB_CACHE", home / "hub"))
    return any(cache.glob("models--*vae*")) or any(cache.glob("models--*stable-diffusion*"))


def _reference(study: Study, kinds: set[str]) -> list[str]:
    reference = study.settings.reference
    found: list[str] = []
    if reference is None:
        return found
    if reference.statistics and "reference" in kinds and not Path(reference.statistics).exists():
        found.append(
            f"the reference statistics are not at {reference.statistics} (for ImageNet 256: ADM's "
            "VIRTUAL_imagenet256_labeled.npz); put the file there or say "
            "--set reference.statistics=FILE"
        )
    weights = reference.extractor_weights
    if weights and not Path(weights).exists():
        found.append(f"extractor weights are not at {weights} (reference.extractor_weights)")
    if importlib.util.find_spec("torch_fidelity") is None:
        found.append("the package torch-fidelity is not installed")
    return found
