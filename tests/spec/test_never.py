"""What no machine can ever make is refused before anything is trained; its study stays readable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tiny_study import TINY

from harness.cli import main
from harness.spec import load_study
from harness.spec.never import never

FINAL = "evaluations.final"


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("reference.statistics=adm.npz", "extractor is glyphs-cnn, which a study trains on images"),
        ("reference.extractor_sha256=abc", "is 'abc': a SHA-256 has 64 hexadecimal digits"),
        (f"reference.extractor_sha256={'g' * 64}", "a SHA-256 has 64 hexadecimal digits"),
        (f"reference.extractor_sha256={'aF' * 32}", "write it in lower case"),
        ("data.fingerprint=sha256:9f", "data.fingerprint is 'sha256:9f': a SHA-256 has 64"),
        ("autoencoder.sha256=abc", "autoencoder.sha256 is 'abc': a SHA-256 has 64"),
        ("data.path=/images", "source 'embedded' reads no files: leave it out, or give the data"),
    ],
)
def test_a_reference_that_nobody_can_make_is_refused_and_its_study_stays_readable(
    override: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY)
    for verb in ("validate", "plan", "run"):
        assert main([verb, "tiny.yaml", "--set", override]) == 2
        assert said in capsys.readouterr().err
    assert main(["status", "tiny.yaml", "--set", override]) == 0


@pytest.mark.parametrize(
    "overrides",
    [
        (f"reference.extractor_sha256={'af' * 32}",),
        (f"data.fingerprint={'0' * 63}1", f"autoencoder.sha256={'1' * 63}a"),
        (f"{FINAL}.floor_images=0",),
        (f"{FINAL}.sampling_steps=[2, 3]",),
        ("reference.extractor=inception-2015", "reference.statistics=adm.npz"),
    ],
)
def test_what_can_be_had_is_no_problem(overrides: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY)
    assert list(never(load_study(tmp_path / "tiny.yaml", overrides=overrides))) == []


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("data.num_classes=1000", "the set glyphs that source 'embedded' makes has 10 classes"),
        ("train.label_dropout=1", "no label is seen in training"),
        ("data.path=images", "source 'embedded' reads no files"),
        ("data.fingerprint=abc", "a SHA-256 has 64 hexadecimal digits"),
        ("reference.statistics=s.npz", "no file has its features"),
        ("reference.extractor_weights=w.pt", "no file is read for it"),
        ("reference={extractor_weights: w.pt}", "no file is read for it"),
    ],
)
def test_what_nothing_could_use_is_blamed_on_the_option(
    override: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY)
    (problem,) = never(load_study(tmp_path / "tiny.yaml", overrides=(override,)))
    assert problem.startswith(f"--set {override}: ")
    assert said in problem
    field, _, value = override.partition("=")
    if "." in field:  # the same in the file is the file's
        section, _, name = field.partition(".")
        text = TINY.replace(
            "profiles:\n  laptop: {}", f"profiles: {{p: {{{section}: {{{name}: {value}}}}}}}"
        )
        (tmp_path / "file.yaml").write_text(text)
        (problem,) = never(load_study(tmp_path / "file.yaml", "p"))
        assert problem.startswith(f"{tmp_path / 'file.yaml'}: ")


def test_models_that_are_only_counted_may_have_any_classes(tmp_path: Path) -> None:
    text = TINY.replace("train: {", "other: {").split("other:")[0] + "profiles: {laptop: {}}\n"
    text = text.replace("DiT-micro", "DiT-micro, size: S, patch_size: 8").replace(
        "train_images: 64", "train_images: 64, num_classes: 1000"
    )
    (tmp_path / "counted.yaml").write_text(text)
    assert not list(never(load_study(tmp_path / "counted.yaml")))
