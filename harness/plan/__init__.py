"""Runs to stages to keys, and what they cost. Pure Python, no torch, no files."""

from harness.plan.plan import Plan, Stage, make_plan

__all__ = ["Plan", "Stage", "make_plan"]
