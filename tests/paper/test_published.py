"""The paper's claims about other people's models, by its own tables: worked out here by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness import paper
from harness.paper import published
from harness.paper.evidence import AGREES, DISAGREES, UNDECIDED, Evidence, papers_evidence

OWN = papers_evidence()
CLAIMS = [published.sota, published.recall, published.decoder, published.at_512, published.latent]


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        (published.sota, "2.27 (DiT-XL/2-G (cfg=1.50)) against 2.30 (StyleGAN-XL)"),
        (published.decoder, "2.46, 2.30, 2.27 against 3.60 (LDM-4-G)"),
        (
            published.at_512,
            "3.04 against 3.85; 524.6 Gflops against 1,983 (ADM) and 2,813 (ADM-U)",
        ),
    ],
)
def test_verdicts_on_the_papers_own_tables(claim: Callable, words: str) -> None:
    assert claim(OWN) == (AGREES, words)


def test_recall_is_above_ldms_only_at_equal_guidance() -> None:
    verdict, words = published.recall(OWN)
    assert verdict == AGREES
    assert words == (
        "0.67, 0.62, 0.57 against 0.63, 0.62 without guidance and 0.35, 0.55, 0.48 with"
    )


def test_ldm_4_is_cheaper_and_so_not_dominated() -> None:
    verdict, words = published.latent(OWN)
    assert verdict == AGREES
    assert "LDM-4 (104 Gflops, FID 3.6) is not dominated" in words
    assert "ADM (1120 Gflops, FID 4.59) is dominated" in words
    assert "ADM-U (742 Gflops, FID 3.94) is dominated" in words


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_studys_own_records_say_nothing_of_them(claim: Callable) -> None:
    verdict, words = claim(Evidence())
    assert verdict == UNDECIDED
    assert "measured none of the models compared" in words and claim(OWN)[1] in words


@pytest.mark.parametrize(
    ("claim", "table", "row", "column", "value"),
    [
        (published.sota, "table2_imagenet256", "StyleGAN-XL", "fid", 2.0),
        (published.recall, "table2_imagenet256", "LDM-4", "recall", 0.7),
        (published.recall, "table2_imagenet256", "LDM-4-G (cfg=1.50)", "recall", 0.6),
        (published.decoder, "table4_decoders", "original", "fid", 3.0),  # 1.3 times the others
        (published.latent, "table2_imagenet256", "ADM-G", "fid", 2.0),
        (published.at_512, "table5_unets", "ADM", "total_gflops", 500),
        (published.at_512, "claims", "adm-512-best", "value", 3.0),
        (published.decoder, "table2_imagenet256", "LDM-4-G (cfg=1.50)", "fid", 2.4),
        (published.recall, "table2_imagenet256", "DiT-XL/2-G (cfg=1.25)", "recall", 0.5),
        # As good is not ahead.
        (published.recall, "table2_imagenet256", "LDM-4", "recall", 0.67),
        (published.recall, "table2_imagenet256", "LDM-4-G (cfg=1.50)", "recall", 0.57),
        (published.latent, "table2_imagenet256", "ADM-G", "fid", 2.27),
        (published.decoder, "table2_imagenet256", "LDM-4-G (cfg=1.50)", "fid", 2.46),
        (published.at_512, "claims", "adm-512-best", "value", 3.04),
    ],
)
def test_other_numbers_would_disagree(
    monkeypatch: pytest.MonkeyPatch,
    claim: Callable,
    table: str,
    row: str,
    column: str,
    value: float,
) -> None:
    """Each number that a verdict rests on can turn it."""
    real = paper.table

    def changed(name: str) -> list[dict]:
        rows = [dict(each) for each in real(name)]
        for each in rows:
            if name == table and row in (each.get("model"), each.get("decoder"), each.get("id")):
                each[column] = value
        return rows

    monkeypatch.setattr(paper, "table", changed)
    assert claim(OWN)[0] == DISAGREES


def test_recall_may_be_above_ldms_at_equal_guidance_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    real = paper.table

    def changed(name: str, recall: float) -> list[dict]:
        rows = [dict(each) for each in real(name)]
        for each in rows:
            if each.get("model") == "LDM-4-G (cfg=1.25)":
                each["recall"] = recall
        return rows

    assert "at equal guidance" not in published.recall(OWN)[1]
    for recall, verdict in ((0.60, AGREES), (0.62, DISAGREES), (0.65, DISAGREES)):
        monkeypatch.setattr(paper, "table", lambda name, recall=recall: changed(name, recall))
        found, words = published.recall(OWN)
        assert found == verdict
        assert words.endswith("; true at equal guidance") == (verdict == AGREES)


@pytest.mark.parametrize(
    ("claim", "row", "column", "value"),
    [
        (published.latent, "ADM-U", "total_gflops", 118.0),
        (published.latent, "ADM-U", "total_gflops", 118.64),
        (published.at_512, "ADM", "total_gflops", 524.6),
    ],
)
def test_as_many_gflops_are_not_fewer(
    monkeypatch: pytest.MonkeyPatch, claim: Callable, row: str, column: str, value: float
) -> None:
    real = paper.table

    def changed(name: str) -> list[dict]:
        rows = [dict(each) for each in real(name)]
        for each in rows:
            if name == "table5_unets" and each["model"] == row:
                each[column] = value
        return rows

    assert claim(OWN)[0] == AGREES
    monkeypatch.setattr(paper, "table", changed)
    assert claim(OWN)[0] == DISAGREES
