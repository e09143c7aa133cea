from __future__ import annotations

from harness.data.randomness import generator, stream_key, torch_seed


def test_a_stream_is_the_same_every_time_and_no_other_stream() -> None:
    first = generator("noise", 1, 2).standard_normal(4).tolist()
    assert first == generator("noise", 1, 2).standard_normal(4).tolist()
    names = [("noise", 1, 2), ("noise", 12), ("noise", 2, 1), ("order", 1, 2), ("noise", 1)]
    assert len({stream_key(*name) for name in names}) == len(names)


def test_keys_have_128_bits_and_torch_seeds_63() -> None:
    keys = [stream_key("x", k) for k in range(100)]
    assert max(keys) >> 127 == 1 and max(keys) < 1 << 128
    assert all(0 <= torch_seed("x", k) < 1 << 63 for k in range(100))
