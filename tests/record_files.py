"""Record files as older versions left them, and as a torn disk does."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def put_parquet(root: Path, table: str, stem: str, content: pa.Table) -> Path:
    """A Parquet record file, as every version until 4 wrote each stage's rows."""
    buffer = io.BytesIO()
    pq.write_table(content, buffer, compression="zstd", write_page_checksum=True)
    data = buffer.getvalue()
    path = root / "records" / table / f"{stem}.{hashlib.sha256(data).hexdigest()[:16]}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path
