from __future__ import annotations

from pathlib import Path

from harness.components.family import Input
from harness.models.count_child import main
from harness.models.families import DiTMicroFamily

NET = '''
from typing import ClassVar

from torch import nn

from harness.components import Family


class Flat(Family):
    """One convolution, and no formula."""

    name: ClassVar[str] = "flat"

    broken: bool = False
    "Its network cannot be built."

    label: ClassVar[str] = "flat"

    def check(self, given):
        pass

    def build(self, given, *, checkpointing=False):
        if self.broken:
            raise RuntimeError("no such layer")

        class Net(nn.Conv2d):
            def forward(self, x, t, y):
                return super().forward(x)

        return Net(given.channels, given.out_channels, 3, padding=1)
'''


def test_networks_of_files_and_ours_are_counted_and_a_broken_one_says_why(tmp_path: Path) -> None:
    (tmp_path / "flat.py").write_text(NET)
    given = Input(8, 3, 10, 6)
    ours = DiTMicroFamily(size="S", patch_size=4)
    flat = {"family": "flat", "broken": False, "input_size": 8, "channels": 3}
    flat |= {"num_classes": 10, "out_channels": 6}
    answers = main(
        {
            "files": ["flat.py"],
            "folder": str(tmp_path),
            "architectures": [flat, ours.architecture(given), {**flat, "broken": True}],
        }
    )
    assert answers[0] == {"gflops": 9 * 3 * 6 * 64 / 1e9}
    assert abs(answers[1]["gflops"] / ours.gflops(given) - 1) < 1e-9
    assert answers[2] == {"error": "RuntimeError: no such layer"}
