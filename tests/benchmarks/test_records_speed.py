"""Records: seconds and memory of writing, reading and merging them.

    python -m pytest -m benchmark tests/benchmarks/test_records_speed.py -s       # about 2 minutes
    HARNESS_BENCHMARK=full python -m pytest -m benchmark tests/benchmarks/... -s     # 10,000 stages

Each measurement runs in a process of its own, with the checks that every reader makes; seconds are
of the processor, which neighbours on the machine hardly change. fsync is left out while the
fragments are made: it measures the disk. Limits are the project's; the first load imports pandas.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.benchmark, pytest.mark.slow]

FULL = os.environ.get("HARNESS_BENCHMARK") == "full"
METRICS = ("fid", "sfid", "inception_score", "precision", "recall")

MAKE = """
import hashlib, os, sys
from pathlib import Path
from harness.store import influences, records, tables
os.fsync = lambda handle: None
for i in range(int(sys.argv[2])):
    key = hashlib.sha256(str(i).encode()).hexdigest()
    kinds = {"string": "abcdefgh" * 4, "int64": i, "float64": i * 0.1237, "bool": True}
    row = {c.name: kinds[c.type] for c in tables.METRICS}
    row |= {"recipe": "{}", "measured_with": "{}", "key": key}
    moves = influences.written([(i * 7919 + g * 104729) % 1999 - 999 for g in range(32)])
    rows = [
        {**row, "metric": m, "influence": None if m.startswith("recall") else moves}
        for m in sys.argv[3].split()
    ]
    records.write(Path(sys.argv[1]), "metrics", key, rows)
"""
READ = """
import json, resource, sys, time
began = time.process_time()
from harness.store import records
rows = len(records.read_frames(sys.argv[1])["metrics"])
first = time.process_time() - began
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
began = time.process_time()
records.read_frames(sys.argv[1])
later = time.process_time() - began
print(json.dumps({"rows": rows, "first": first, "later": later, "MB": memory}))
"""
MERGE = """
import json, resource, sys, time
from pathlib import Path
from harness.store import records
began = time.process_time()
merged = records.compact(Path(sys.argv[1]), above=0)
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"files": merged, "seconds": time.process_time() - began, "MB": memory}))
"""


def alone(code: str, *arguments: object) -> dict[str, Any]:
    """What a program prints as JSON, run in a process of its own on one thread."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "ARROW_NUM_THREADS": "1"},
    )
    return json.loads(done.stdout or "{}")


@pytest.mark.parametrize("stages", [1_000, 10_000] if FULL else [1_000, 3_000])
def test_fragments_are_read_and_merged(tmp_path: Path, stages: int) -> None:
    alone(MAKE, tmp_path, stages, " ".join(METRICS))
    read = alone(READ, tmp_path)
    merged = alone(MERGE, tmp_path)
    again = alone(READ, tmp_path)
    print(f"\n{stages:,} fragments: read {read}, merged {merged}, then read {again}")
    assert read["rows"] == again["rows"] == stages * len(METRICS)
    assert merged["files"] == stages
    assert (
        read["first"] < 5 * max(stages, 2_000) / 10_000 + 1 and read["MB"] < 270
    )  # of which 108 are the libraries


def test_a_hundred_thousand_compacted_rows_are_read(tmp_path: Path) -> None:
    stages, repeats = (20_000, 1) if FULL else (4_000, 5)  # fewer stages that measured more
    names = [f"{metric}_{i}" for metric in METRICS for i in range(repeats)]
    alone(MAKE, tmp_path, stages, " ".join(names))
    merged = alone(MERGE, tmp_path)
    read = alone(READ, tmp_path)
    print(f"\n100,000 rows: merged {merged}, read {read}")
    assert read["rows"] == 100_000
    assert read["first"] < 2 and read["later"] < 0.6
