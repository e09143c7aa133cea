from __future__ import annotations

import pytest

from harness.errors import BadInput
from harness.metrics.kid_metric import KID
from harness.metrics.names import chosen, metric_name, metric_names


def test_only_inception_2015_gives_fid_sfid_and_inception_score():
    found = [metric_name(m, "inception-2015") for m in ("fd", "sfd", "is", "precision", "recall")]
    assert found == ["fid", "sfid", "inception_score", "precision", "recall"]


@pytest.mark.parametrize("metric", metric_names())
@pytest.mark.parametrize("extractor", ["glyphs-cnn", "inception-v3", "dinov2"])
def test_any_other_extractor_is_part_of_the_name(metric, extractor):
    name = metric_name(metric, extractor)
    assert name == f"{metric}_{extractor.replace('-', '_')}"
    assert "fid" not in name and "inception_score" not in name


def test_an_unknown_metric_lists_the_known_ones():
    with pytest.raises(BadInput, match=r"unknown metric 'fid'.*there are: fd, sfd, is"):
        metric_name("fid", "glyphs-cnn")


def test_names_and_components_are_chosen_each_once_in_order():
    found = chosen(["kid", "fd", KID(subset_size=10), "fd"])
    assert [m.name for m in found] == ["kid", "fd"]
    assert found[0] == KID()  # who comes first stays
    assert chosen([KID(subset_size=10), "kid"]) == [KID(subset_size=10)]
    assert chosen([]) == []


def test_all_unknown_names_are_told_at_once():
    with pytest.raises(BadInput, match=r"metrics fid .did you mean 'fd'\?., no; there are: fd"):
        chosen(["fd", "fid", "no"])
