"""The Parquet records, for those who write and read them.

Each worker writes its stage's rows as a fragment (fragments.py); compaction merges them into
Parquet (compaction.py); whatever is committed and not recorded is written again (reconciling.py);
readers get frames (frames.py) in which every key stands once (loading.py).
"""

from harness.store.compaction import compact
from harness.store.fragments import Fragments, UnreadableRecords, scan, schema
from harness.store.frames import CorruptRecord, read, read_frames
from harness.store.reconciling import TABLES_OF, reconcile, reconcile_one, write
from harness.store.tables import TABLES

__all__ = [
    "TABLES",
    "TABLES_OF",
    "CorruptRecord",
    "Fragments",
    "UnreadableRecords",
    "compact",
    "read",
    "read_frames",
    "reconcile",
    "reconcile_one",
    "scan",
    "schema",
    "write",
]
