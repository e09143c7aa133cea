"""Artifacts (the commit protocol) and records (Parquet)."""

from harness.store.artifacts import Artifact, CorruptArtifact, Store

__all__ = ["Artifact", "CorruptArtifact", "Store"]
