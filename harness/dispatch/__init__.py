"""The driver loop, the attempt ledger, and what runs stages: local workers or SLURM."""
