"""Where jobs that release 0.1 left in a queue begin: their scripts name this module."""

import runpy

if __name__ == "__main__":
    runpy.run_module("harness.dispatch.slurm.task", run_name="__main__", alter_sys=True)
