"""What encoding found out about a study's images, reported while it is early enough to act on
it."""

from __future__ import annotations

from harness.commands.common import Opened, plural
from harness.errors import HarnessError
from harness.store import Store, codec


def encoded(opened: Opened) -> list[str]:
    """Sentences on all images of a study that are encoded."""
    done = opened.store.committed(["encode"])
    keys = [k for k, s in opened.plan.stages.items() if s.kind == "encode" and k in done]
    return list(dict.fromkeys(said for key in keys for said in of_stage(opened.store, key)))


def of_stage(store: Store, key: str) -> list[str]:
    """Of one encode stage: images left out, how others were brought to RGB, and latents far from
    the mean and deviation that diffusion expects. None where it cannot be read."""
    from harness.store.results import EncodeResult

    try:
        manifest = store.manifest("encode", key)
        if manifest is None:
            return []
        found = codec.result(manifest, EncodeResult)
    except HarnessError:
        return []
    images = f"{found.data} at {found.image_size}x{found.image_size}"
    said = []
    if found.corrupt:
        said.append(
            f"{images}: {found.corrupt:,} of {found.count + found.corrupt:,} images cannot be read "
            "and are left out (data.max_corrupt)"
        )
    if found.stored:
        from harness.data import changes

        said.append(f"{images}: {'; '.join(changes.told(found.stored, found.count))}")
    if found.passed_over:
        total = sum(found.passed_over.values())
        kinds = (f"{n:,} {kind}" for kind, n in sorted(found.passed_over.items()))
        said.append(
            f"{images}: {plural(total, 'file')} beside them {'is' if total == 1 else 'are'} not "
            f"read, as their names are not those of images ({', '.join(kinds)})"
        )
    if found.autoencoder_sha256 is not None and found.moments is not None:
        from harness.data import moments

        if (far := moments.far(**found.moments)) is not None:
            said.append(f"{images} through {found.autoencoder}: {far}")
    return said
