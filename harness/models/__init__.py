"""Models: the DiT and its blocks, the zoo, checkpoint formats, complexity.

Importing this package does not import torch: names are loaded on first use, so that the planner
can read the zoo.
"""
