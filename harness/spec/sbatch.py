"""sbatch's long options, so that a misspelt one is found before anything is submitted.

Those the harness sets itself (name, output, array, ...) are not among them.
"""

from __future__ import annotations

# fmt: off
SBATCH_OPTIONS = (
    "acctg-freq", "batch", "bb", "bbf", "begin", "clusters", "cluster-constraint", "comment",
    "constraint", "container", "contiguous", "core-spec", "cores-per-socket", "cpu-freq",
    "cpus-per-gpu", "deadline", "delay-boot", "distribution", "exclusive", "export",
    "export-file", "get-user-env", "gid", "gpu-bind", "gpu-freq", "gpus", "gpus-per-socket",
    "gpus-per-task", "gres", "gres-flags", "hint", "hold", "ignore-pbs", "kill-on-invalid-dep",
    "licenses", "mail-type", "mcs-label", "mem-bind", "mem-per-cpu", "mem-per-gpu", "mincpus",
    "network", "nice", "no-kill", "nodefile", "nodelist", "ntasks-per-core",
    "ntasks-per-socket", "overcommit", "oversubscribe", "power", "prefer", "priority",
    "profile", "propagate", "reboot", "reservation", "segment", "sockets-per-node",
    "spread-job", "stepmgr", "switches", "thread-spec", "threads-per-core", "time-min", "tmp",
    "tres-bind", "tres-per-task", "uid", "use-min-nodes", "wckey",
)
# fmt: on
