"""Tests that share an expensive beginning stay in one worker (pytest-xdist's groups)."""

from __future__ import annotations

import os

import pytest

GROUP = "of one worker"


@pytest.mark.xdist_group(GROUP)
@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="one process has no groups")
def test_groups_reach_the_scheduler(request: pytest.FixtureRequest) -> None:
    """pytest 9.2 keeps no name that pytest-xdist 3.8 adds, and each worker began anew."""
    assert request.node.nodeid.endswith(f"@{GROUP}")
