"""Our extractors keep the laws that need no weights; one that breaks a law is found by it."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch

import harness.testing
from harness.components import names
from harness.components.extractor import Extractor
from harness.testing import extractor as laws


class Net:
    """The mean of each channel."""

    name, sha256, resize = "means", "a" * 64, "none"

    def __call__(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"pool": images.float().mean(dim=(2, 3))}


class Means(Extractor):
    """The mean of each channel."""

    name: ClassVar[str] = "means"
    dimensions: ClassVar[int | None] = 3
    net: ClassVar[type[Net]] = Net

    def load(self, weights: Any = None, device: str = "cpu") -> Any:
        return self.net()


@pytest.mark.parametrize("name", names("extractor"))
def test_ours_keep_the_laws_that_can_be_seen_here(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Extractor, "missing", lambda *_: "not looked for")
    for law in harness.testing.laws("extractor"):
        if law is not laws.what_is_loaded_keeps_its_promises:
            law(harness.testing.registry.get("extractor", name)())


def test_a_strangers_extractor_keeps_every_law() -> None:
    harness.testing.check("extractor", Means)


def broken(**changes: Any) -> Extractor:
    """Means whose network is changed in one thing."""
    own = {k: v for k, v in changes.items() if k in ("gives", "dimensions")}
    net = type("Changed", (Net,), {k: v for k, v in changes.items() if k not in own})
    named = {"__doc__": "x", "__module__": __name__}
    found: type[Extractor] = type("Broken", (Means,), {"net": net, **named, **own})
    return found()


def with_batch(self: Net, images: torch.Tensor) -> dict[str, torch.Tensor]:
    found = Net.__call__(self, images)["pool"]
    return {"pool": found - found.mean(dim=0)}


def spatial(self: Net, images: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"spatial": images.float().mean(dim=(2, 3))}


def unnormed(self: Net, images: torch.Tensor) -> dict[str, torch.Tensor]:
    pool = Net.__call__(self, images)["pool"]
    return {"pool": pool, "probabilities": pool}


def flat(self: Net, images: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"pool": images.float().mean(dim=(1, 2, 3))}


def infinite(self: Net, images: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"pool": images.float().mean(dim=(2, 3)) / 0}


NETWORK, PROMISED = laws.what_is_loaded_keeps_its_promises, laws.pool_features_are_promised
BROKEN = [
    ({"__call__": with_batch}, NETWORK, "are others in another batch"),
    ({"__call__": spatial}, NETWORK, "promised are"),
    (
        {"__call__": unnormed, "gives": ("pool", "probabilities")},
        NETWORK,
        "do not sum to 1",
    ),
    ({"__call__": flat}, NETWORK, r"not \(6, D\)"),
    ({"__call__": infinite}, NETWORK, "not finite"),
    ({"dimensions": 7}, NETWORK, "promised are 7"),
    ({"sha256": "weights"}, NETWORK, "is no SHA-256"),
    ({"gives": ("spatial",)}, PROMISED, "gives pool"),
    ({"gives": ("pool", "smell")}, PROMISED, "nobody knows"),
]


@pytest.mark.parametrize(("changes", "law", "said"), BROKEN)
def test_a_broken_promise_is_named(changes: dict[str, Any], law: Any, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        law(broken(**changes))
