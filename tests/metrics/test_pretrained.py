"""DINOv2 and CLIP: their weights are not here, so what is tested is all but their numbers."""

from __future__ import annotations

import urllib.error
from pathlib import Path

import pytest
import torch

from harness.errors import BadInput, Missing
from harness.metrics import load_extractor, pretrained
from harness.metrics.extractors import sha256_of


def offline(*args, **kwargs):
    raise urllib.error.URLError("no route to host")


@pytest.fixture(autouse=True)
def hub(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    monkeypatch.setattr(torch.hub, "load", offline)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("dinov2", "dinov2_vitl14_pretrain.pth"),
        ("clip", f"clip-vit-l-14-{pretrained.MODEL_METADATA['clip-vit-l-14']['hash']}.pt"),
    ],
)
def test_without_network_and_file_the_error_says_which_file_to_put_where(hub, name, file):
    with pytest.raises(Missing) as error:
        load_extractor(name)
    assert str(hub / "checkpoints" / file) in str(error.value)
    assert "https://" in str(error.value)


def test_the_code_of_dinov2_is_asked_for_at_a_fixed_commit(hub):
    weights = hub / "weights.pth"
    torch.save({}, weights)
    with pytest.raises(Missing, match=r"code of DINOv2 is not here.*commit [0-9a-f]{40} into"):
        load_extractor("dinov2", weights=weights)


class Network(torch.nn.Module):
    """Stands in for the vision transformer: (N, 3, 224, 224) -> (N, 5)."""

    def __init__(self) -> None:
        super().__init__()
        self.head = torch.nn.Linear(3, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert x.shape[1:] == (3, 224, 224)
        return self.head(x.mean(dim=(2, 3)))


def test_dinov2_is_loaded_from_a_file_and_named_for_itself(hub, monkeypatch):
    monkeypatch.setattr(pretrained, "dinov2_network", Network)
    network = Network()
    weights = hub / "weights.pth"
    torch.save(network.state_dict(), weights)
    extractor = load_extractor("dinov2", weights=weights)
    found = extractor(torch.full((2, 3, 8, 8), 255, dtype=torch.uint8))
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    torch.testing.assert_close(
        found["pool"][0], network.head((1 - mean) / std), rtol=1e-4, atol=1e-4
    )
    assert set(found) == {"pool"}
    assert (extractor.name, extractor.sha256) == ("dinov2", sha256_of(weights))


def test_another_file_is_not_taken_for_the_weights(hub, monkeypatch):
    monkeypatch.setattr(pretrained, "dinov2_network", Network)
    weights = hub / "weights.pth"
    torch.save({"other": torch.zeros(1)}, weights)
    with pytest.raises(BadInput, match="is not the weights of dinov2_vitl14"):
        load_extractor("dinov2", weights=weights)
    with pytest.raises(BadInput, match="not the published weights of clip-vit-l-14: its SHA-256"):
        load_extractor("clip", weights=weights)
