"""`report`: from what it is made, when an old one still stands, what it shows of networks."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import pytest
from opened import opened
from verbs import Said

from harness.commands import report
from harness.commands.common import Opened
from harness.components import registry
from harness.errors import BadInput
from harness.report import ReportInput
from harness.report.blocks import Document
from harness.report.papers import papers_report
from harness.store import codec
from harness.store.results import ComplexityResult


@pytest.mark.slow
def test_an_old_report_is_kept_only_if_all_that_it_shows_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = report.report_key(opened(tmp_path))
    assert report.report_key(opened(tmp_path)) == one
    others = [
        opened(tmp_path, ("train.log_every=3",)),  # the command in the provenance
        opened(tmp_path, title="Another title"),
        opened(tmp_path, report={"sections": ["headline"]}),
    ]
    keys = [report.report_key(other) for other in others]
    study_state = Opened.state

    def failed(self: Opened) -> Any:
        state = study_state(self)
        return dataclasses.replace(state, failed={state.missing[0].key: None})

    monkeypatch.setattr(Opened, "state", failed)  # the first page says so
    keys.append(report.report_key(opened(tmp_path)))
    assert len({one, *keys}) == 5


OWN = '''
from harness.components import Section


class Own(Section):
    """Somebody's."""

    name = "own"
    title = "Own"
    version = {version}

    def blocks(self, findings):
        return []
'''


def test_a_report_is_made_again_when_a_section_of_the_studys_own_has_changed(
    tmp_path: Path,
) -> None:
    keys = []
    try:
        for version in (1, 1, 2):
            (tmp_path / "own_section.py").write_text(OWN.format(version=version))
            own = {"components": ["own_section.py"], "report": {"sections": ["models", "own"]}}
            keys.append(report.report_key(opened(tmp_path, **own)))
    finally:
        registry.forget_files()
    assert keys[0] == keys[1] != keys[2]


def test_the_papers_gflops_stand_beside_networks_on_its_latents_alone(tmp_path: Path) -> None:
    """DiT-S/8 on 256 x 256 pixels is another network than the paper's, by any count."""
    counted = ComplexityResult("mine", gflops=1.0, gflops_paper=1.0, params=1, tokens=1)
    for autoencoder, channels, side, expected in (
        ("identity", 3, 256, None),
        ("sd-vae", 4, 32, 0.36),
    ):
        (tmp_path / autoencoder).mkdir()
        study = opened(
            tmp_path / autoencoder,
            data={"name": "glyphs", "image_size": 256, "channels": 3, "train_images": 64},
            autoencoder={"name": autoencoder},
            model={"family": "DiT"},
        )
        key = next(k for k, s in study.plan.stages.items() if s.kind == "complexity")
        shape = {"block": "adaln-zero", "channels": channels, "input_size": side}
        told = codec.told(dataclasses.replace(counted, architecture=shape))
        study.store.commit("complexity", key, study.store.staging(key), {}, told, {})
        (row,) = report._complexity(study)
        assert row["model"] == "DiT-S/8" and row["paper_gflops"] == expected


@pytest.mark.slow
@pytest.mark.usefixtures("moved")
def test_figures_that_a_later_report_has_not_are_removed(verb: Said) -> None:
    def beside() -> set[str]:
        return {p.name for p in Path("reports/kept").rglob("*") if p.is_file()}

    assert verb("report", "kept.yaml", "--set", "report.sections=[gflops, training]")[0] == 0
    assert {"gflops.svg", "gflops.csv", "training.svg", "training.csv"} <= beside()
    Path("reports/kept/mine.svg").write_text("somebody's")
    code, said = verb("report", "kept.yaml", "--set", "report.sections=[gflops]")
    assert code == 0, said
    assert beside() == {"gflops.svg", "gflops.csv", "made-of.json", "files.json", "mine.svg"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name,thing\na,b\n", "others.csv"),
        ("model,gflops,value\nUnknown-9,1.0,3.0\n", "shares no model with paper"),
        ("", "others.csv"),
    ],
)
def test_the_papers_own_report_takes_somebody_elses_values_or_refuses_them(
    tmp_path: Path, text: str, words: str
) -> None:
    """It passed over the option without a word."""
    others = tmp_path / "others.csv"
    others.write_text(text)
    with pytest.raises(BadInput, match=words):
        report._against(papers_report(), others, None)
    others.write_text("model,gflops,value\nDiT-XL/2,118.6,19.0\n")
    given = argparse.Namespace(
        study="paper", report=str(tmp_path / "x.pdf"), format=None, against=str(others), label=None,
        figure=str(tmp_path / "main.png"),
    )  # fmt: skip
    seen: list[ReportInput] = []

    def composed(made: ReportInput) -> Document:
        seen.append(made)
        return Document("T", "s", "p", "d", 0, [])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.report.document.compose", composed)
        assert report._paper(given) == 0
    (made,) = seen
    assert made.against is not None and made.against_label == "others"
    assert (tmp_path / "main.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("form", "said"), [("pdf", True), ("html", False)])
def test_characters_that_no_font_has_are_said_in_the_terminal_too(
    form: str, said: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    document = Document("A study of \U000f0000", "s", "p", "d", 0, [])
    report._say_unshown(document, form)
    told = capsys.readouterr().err
    assert ("note: no font here has U+F0000 unnamed; they are boxes in the PDF" in told) == said
    report._say_unshown(Document("A study of \u00e9", "s", "p", "d", 0, []), form)
    assert not capsys.readouterr().err
