"""Everything that knows the word SLURM: batches, scripts, the queue, submission, and tasks."""
