"""The scaling-study harness: one YAML study in, one finished scaling study out."""

from __future__ import annotations

from typing import Any

from harness.version import __version__ as __version__

__all__ = ["describe", "load_results", "load_study", "packages"]


def __getattr__(name: str) -> Any:
    """Public names, loaded on first use: importing the package stays instant."""
    if name == "load_study":
        from harness.spec import load_study

        return load_study
    if name in ("describe", "load_results", "packages"):
        from harness import results

        return getattr(results, name)
    raise AttributeError(f"module 'harness' has no attribute {name!r}")


def __dir__() -> list[str]:
    """So that help() and completion list the lazy names."""
    return sorted({*globals(), *__all__})
