"""The laws of feature extractors. Those that want weights or training are checked once loaded:
`check_network`."""

from __future__ import annotations

import numpy as np

from harness.components.extractor import Extractor, Network


def check_network(network: Network, gives: tuple[str, ...], dimensions: int | None = None) -> None:
    """The laws of a loaded extractor. Raises AssertionError."""
    import torch

    random = np.random.default_rng(0)
    images = torch.from_numpy(random.integers(0, 256, (6, 3, 8, 8), dtype=np.uint8))
    found = {name: value.float().cpu() for name, value in network(images).items()}
    assert set(found) == set(gives), f"it gives {sorted(found)}; promised are {sorted(gives)}"
    for name, value in found.items():
        assert value.ndim == 2 and len(value) == 6, f"{name} is {tuple(value.shape)}, not (6, D)"
        assert bool(torch.isfinite(value).all()), f"{name} is not finite"
    if dimensions is not None:
        assert found["pool"].shape[1] == dimensions, (
            f"pool has {found['pool'].shape[1]} dimensions; promised are {dimensions}"
        )
    if "probabilities" in found:
        sums = found["probabilities"].sum(dim=1)
        assert torch.allclose(sums, torch.ones(6), atol=1e-3), "probabilities do not sum to 1"
    for part in (slice(0, 1), slice(1, 4)):
        alone = network(images[part])
        for name, value in found.items():
            assert torch.allclose(alone[name].float().cpu(), value[part], rtol=1e-3, atol=1e-4), (
                f"{name} of images {part.start} to {part.stop - 1} are others in another batch"
            )
    assert len(network.sha256) == 64, f"its checksum {network.sha256!r} is no SHA-256"


def what_is_loaded_keeps_its_promises(extractor: Extractor) -> None:
    """Where nothing has to be downloaded, trained or given."""
    if extractor.trained or extractor.own_weights or extractor.missing(None) is not None:
        return
    check_network(extractor.load(), extractor.gives, extractor.dimensions)


def pool_features_are_promised(extractor: Extractor) -> None:
    """The extractor gives `pool` features, which Fréchet distances need."""
    assert "pool" in extractor.gives, "every extractor gives pool features"
    unknown = set(extractor.gives) - {"pool", "spatial", "probabilities"}
    assert not unknown, f"nobody knows the features {sorted(unknown)}"


LAWS = (pool_features_are_promised, what_is_loaded_keeps_its_promises)
