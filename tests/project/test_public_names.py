"""What somebody finds who asks Python: help() and dir() list the lazy names; imports are quiet."""

from __future__ import annotations

import importlib
import pydoc
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "module", ["harness", "harness.models", "harness.diffusion", "harness.metrics"]
)
def test_help_lists_what_there_is(module: str) -> None:
    package = importlib.import_module(module)
    text = pydoc.render_doc(package, renderer=pydoc.plaintext)
    for name in package.__all__:
        assert name in dir(package)
        about = getattr(package, name)
        first = (about.__doc__ or "").strip().splitlines()[:1]
        assert first, f"{module}.{name} has no docstring"
        assert name in text and first[0][:40] in text, f"help({module}) does not show {name}"


@pytest.mark.slow
def test_importing_prints_nothing() -> None:
    """No library's FutureWarning, which a user can do nothing about."""
    code = (
        "import harness\n"
        "from harness import models, diffusion, metrics, analysis, data\n"
        "for m in (harness, models, diffusion, metrics, analysis, data):\n"
        "    [getattr(m, name) for name in m.__all__]\n"
        "models.build('DiT-micro-S/4', image_size=8, num_classes=10)\n"
        "models.complexity('DiT-S/4')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True
    )
    assert done.stdout == "" and done.stderr == ""
