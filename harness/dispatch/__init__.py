"""The driver loop, the attempt ledger, and what runs stages: this machine, or a queue."""
