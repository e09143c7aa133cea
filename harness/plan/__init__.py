"""Runs to stages to keys, and what they cost. Pure Python, no torch, no files."""

from harness.plan.build import make_plan
from harness.plan.plan import Plan, Stage

__all__ = ["Plan", "Stage", "make_plan"]
