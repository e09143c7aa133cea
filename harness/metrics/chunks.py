"""The samples of an Inception Score: whole chunks of them."""

from __future__ import annotations

from harness.errors import BadInput


def count_used(count: int, split_size: int, short_last_chunk: str) -> int:
    """How many of `count` samples go into chunks. BadInput as `inception_score` says."""
    if split_size < 1:
        raise BadInput(f"split_size must be at least 1, got {split_size}")
    if short_last_chunk not in ("refuse", "drop", "keep"):
        raise BadInput(f"short_last_chunk is refuse, drop or keep, got {short_last_chunk!r}")
    short = count % split_size
    if short and short_last_chunk == "refuse":
        raise BadInput(
            f"{count} samples in chunks of {split_size} leave a last chunk of {short}, which "
            "would distort the Inception Score: choose a split size that divides the number of "
            f"samples ({_nearest(count, split_size)} does); `evaluate --short-last-chunk` can also "
            "drop or keep the rest"
        )
    if short_last_chunk != "drop":
        return count
    if count < split_size:
        raise BadInput(f"{count} samples do not fill one chunk of {split_size}")
    return count - short


def _nearest(count: int, split_size: int) -> int:
    """The largest divisor of `count` up to `split_size`; `count` itself where that is far smaller.

    The score grows with the chunk, so one of small chunks cannot be compared.
    """
    best = next(n for n in range(min(split_size, count), 0, -1) if count % n == 0)
    return best if best > 1 and best * 2 >= min(split_size, count) else count
