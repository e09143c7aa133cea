"""Housekeeping of a results folder: look at it, tidy it, move it, merge it."""
