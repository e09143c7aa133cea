"""A changed byte is seen."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.dispatch.slurm.seal import Damaged, opened, sealed

CONTENT = {"job": "77", "ran": 12.25, "retries": {"killed": 3}, "message": "é 100%", "done": None}


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_no_flipped_bit_gives_another_content(at: int, bit: int) -> None:
    text = bytearray(json.dumps(sealed(CONTENT)).encode())
    text[at % len(text)] ^= 1 << bit
    try:
        found = opened(json.loads(text))
    except ValueError:
        return  # of which Damaged is one
    # only the checksum's own name can change unseen: then it is one field more
    assert {name: found[name] for name in CONTENT} == CONTENT


def test_what_release_0_1_wrote_is_taken_as_it_is() -> None:
    assert opened({"job": "77"}) == {"job": "77"}


@pytest.mark.parametrize("found", [None, [], "x", 3, {"job": "78", "sha256": "0" * 16}])
def test_what_is_no_sealed_object_is_damaged(found: object) -> None:
    with pytest.raises(Damaged):
        opened(found)
