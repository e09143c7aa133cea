"""DINOv2 and CLIP: the real loading code, on small random networks in the published formats."""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torchvision
from torch_fidelity.feature_extractor_clip import CLIPVisual
from torch_fidelity.interpolate_compat_tensorflow import (
    interpolate_bilinear_2d_like_tensorflow1x as resize,
)

from harness.errors import BadInput, Missing
from harness.metrics import load_extractor, pretrained
from harness.metrics.extractors import sha256_of

CLIP_FILE = f"clip-vit-l-14-{pretrained.MODEL_METADATA['clip-vit-l-14']['hash']}.pt"


def offline(*args, **kwargs):
    raise urllib.error.URLError("no route to host")


@pytest.fixture(autouse=True)
def hub(tmp_path, monkeypatch) -> Iterator[Path]:
    """An empty cache of torch.hub's, and no network."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "urlopen", offline)
    monkeypatch.setenv("XFORMERS_DISABLED", "")
    yield tmp_path
    sys.modules.pop("hubconf", None)


@pytest.mark.parametrize(
    ("name", "file"), [("dinov2", "dinov2_vitl14_pretrain.pth"), ("clip", CLIP_FILE)]
)
def test_without_network_and_file_the_error_says_which_file_to_put_where(hub, name, file):
    with pytest.raises(Missing) as error:
        load_extractor(name)
    assert str(hub / "checkpoints" / file) in str(error.value)
    assert "https://" in str(error.value)


def test_without_the_code_of_dinov2_the_error_says_where_to_put_it(hub):
    weights = hub / "weights.pth"
    torch.save({}, weights)
    with pytest.raises(Missing, match=r"code of DINOv2 is not here.*commit [0-9a-f]{40} into") as e:
        load_extractor("dinov2", weights=weights)
    assert str(cached_code(hub)) in str(e.value)


def cached_code(hub: Path) -> Path:
    commit = pretrained.DINOV2_REPOSITORY.split(":")[1]
    return hub / f"facebookresearch_dinov2_{commit}"


# A vision transformer of one block without attention, under the parameter names of the published
# file. torch.hub runs it as it would run the repository's own hubconf.py.
HUBCONF = """
import os, torch
from torch import nn
dependencies = ["torch"]

class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, 8))
        self.pos_embed = nn.Parameter(torch.zeros(1, 257, 8))
        self.mask_token = nn.Parameter(torch.zeros(1, 8))
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv2d(3, 8, 14, 14)
        self.norm = nn.LayerNorm(8)

    def forward(self, x):
        assert x.shape[1:] == (3, 224, 224)
        tokens = self.patch_embed.proj(x).flatten(2).transpose(1, 2)
        return self.norm((tokens + self.pos_embed[:, 1:]).mean(1) + self.cls_token[:, 0])

def dinov2_vitl14(*, pretrained=True):
    assert not pretrained and os.environ["XFORMERS_DISABLED"] == "1"
    print("what torch.hub prints")
    return Network()
"""


@pytest.fixture
def dinov2(hub) -> Path:
    """The weights file; the code is in the cache."""
    cached_code(hub).mkdir()
    (cached_code(hub) / "hubconf.py").write_text(HUBCONF)
    scope: dict = {}
    exec(HUBCONF, scope)
    network = scope["Network"]()
    generator = torch.Generator().manual_seed(0)
    state = {k: torch.randn(v.shape, generator=generator) for k, v in network.state_dict().items()}
    torch.save(state, hub / "published.pth")
    return hub / "published.pth"


def images() -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (2, 3, 40, 56), dtype=torch.uint8, generator=generator)


def normalised(side: int, mean: list[float], std: list[float]) -> torch.Tensor:
    resized = resize(images().float(), size=(side, side), align_corners=False)
    return torchvision.transforms.functional.normalize(resized / 255, mean, std)


def test_dinov2_is_loaded_from_the_cache_and_named_for_itself(dinov2, capsys):
    extractor = load_extractor("dinov2", weights=dinov2)
    state = torch.load(dinov2, weights_only=True)
    x = normalised(224, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    weight, bias = state["patch_embed.proj.weight"], state["patch_embed.proj.bias"]
    tokens = torch.nn.functional.conv2d(x, weight, bias, 14)
    tokens = tokens.flatten(2).transpose(1, 2) + state["pos_embed"][:, 1:]
    expected = torch.nn.functional.layer_norm(
        tokens.mean(1) + state["cls_token"][:, 0], (8,), state["norm.weight"], state["norm.bias"]
    )
    found = extractor(images())
    torch.testing.assert_close(found["pool"], expected, rtol=1e-3, atol=1e-4)
    assert set(found) == {"pool"} and found["pool"].dtype == torch.float32
    assert (extractor.name, extractor.sha256) == ("dinov2", sha256_of(dinov2))
    assert capsys.readouterr().out == ""  # stdout is --json's


def test_dinov2_is_downloaded_into_torch_hubs_cache(hub, dinov2, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(hub))
    monkeypatch.setattr(pretrained, "DINOV2_URL", dinov2.as_uri())
    assert load_extractor("dinov2").sha256 == sha256_of(dinov2)
    assert (hub / "checkpoints" / dinov2.name).read_bytes() == dinov2.read_bytes()


class Archive(torch.nn.Module):
    """The parameters of a published CLIP: the vision tower and, unused here, the text tower's."""

    def __init__(self) -> None:
        super().__init__()
        self.visual = CLIPVisual(12, 16, 1, 64, 8).visual
        self.text_projection = torch.nn.Parameter(torch.zeros(64, 12))
        self.positional_embedding = torch.nn.Parameter(torch.zeros(7, 64))
        self.logit_scale = torch.nn.Parameter(torch.zeros(()))
        self.token_embedding = torch.nn.Embedding(5, 64)
        self.transformer = torch.nn.Linear(64, 64)
        self.ln_final = torch.nn.LayerNorm(64)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.visual(x)


@pytest.fixture
def clip(hub, monkeypatch) -> Path:
    """A TorchScript archive in half precision, whose checksum is the known one."""
    torch.manual_seed(0)
    archive = Archive().eval()
    with torch.inference_mode():
        traced = torch.jit.trace(archive, torch.zeros(1, 3, 16, 16), check_trace=False)
    traced.half().save(str(hub / "ViT-L-14.pt"))
    sha256 = sha256_of(hub / "ViT-L-14.pt")
    monkeypatch.setitem(pretrained.MODEL_METADATA["clip-vit-l-14"], "hash", sha256)
    return hub / "ViT-L-14.pt"


@pytest.mark.filterwarnings("ignore:.*torch.jit", "ignore::torch.jit.TracerWarning")
def test_clip_is_loaded_from_its_archive_and_named_for_itself(clip):
    extractor = load_extractor("clip", weights=clip)
    torch.manual_seed(0)
    visual = Archive().eval().half().float().visual  # rounded as the file's are
    mean, std = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
    with torch.inference_mode():
        expected = visual(normalised(16, mean, std))
    found = extractor(images())
    torch.testing.assert_close(found["pool"], expected, rtol=1e-3, atol=1e-4)
    assert set(found) == {"pool"} and found["pool"].shape == (2, 12)
    assert (extractor.name, extractor.sha256) == ("clip", sha256_of(clip))
    assert extractor.resize == "16x16 bilinear as TensorFlow 1 (torch-fidelity)"


@pytest.mark.filterwarnings("ignore:.*torch.jit", "ignore::torch.jit.TracerWarning")
def test_clip_is_downloaded_under_torch_fidelitys_name(hub, clip, monkeypatch):
    monkeypatch.setattr(torch.hub, "urlopen", urllib.request.urlopen)
    monkeypatch.setitem(pretrained.MODEL_URLS, "clip-vit-l-14", clip.as_uri())
    assert load_extractor("clip").name == "clip"
    assert (hub / "checkpoints" / f"clip-vit-l-14-{sha256_of(clip)}.pt").exists()


def test_another_file_is_not_taken_for_the_weights(hub, dinov2):
    weights = hub / "weights.pth"
    torch.save({"other": torch.zeros(1)}, weights)
    with pytest.raises(BadInput, match="is not the weights of dinov2_vitl14"):
        load_extractor("dinov2", weights=weights)
    with pytest.raises(BadInput, match="not the published weights of clip-vit-l-14: its SHA-256"):
        load_extractor("clip", weights=weights)
