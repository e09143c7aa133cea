"""The verbs: each module has `add_arguments(parser)` and `run(args)`, giving the exit code."""
