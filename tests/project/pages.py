"""The blocks of our pages that a reader would copy, and what a page takes as given."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RUNNABLE = ("sh", "python", "sql")


@dataclass(frozen=True)
class Block:
    """One fenced block.

    A comment before it says how the tests treat it: `<!-- run: slow -->`, or
    `<!-- run: no, WHY -->` for what a test cannot do. Without a comment it is run as it stands.
    """

    page: str
    line: int
    language: str
    text: str
    mark: str  # "", "slow", or "no, WHY"

    @property
    def run(self) -> bool:
        return not self.mark.startswith("no")


def pages() -> list[Path]:
    """The pages in git, without those made from the code (docs/reference)."""
    docs = sorted(p for p in (ROOT / "docs").rglob("*.md") if p.parent.name != "reference")
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *docs]


def blocks(page: Path) -> list[Block]:
    """The page's blocks of shell, Python and SQL, in order."""
    found, mark, fence = [], "", None
    lines = page.read_text().splitlines()
    for number, line in enumerate(lines, 1):
        if fence is not None:
            if line.startswith("```"):
                language, start = fence
                if language in RUNNABLE:
                    text = "\n".join(lines[start : number - 1])
                    name = str(page.relative_to(ROOT)) if page.is_relative_to(ROOT) else page.name
                    found.append(Block(name, start + 1, language, text, mark))
                fence, mark = None, ""
        elif line.startswith("```"):
            fence = (line.removeprefix("```").strip(), number)
        elif (comment := re.fullmatch(r"<!-- run: (.*) -->", line)) is not None:
            mark = comment[1]
    return found


def given(page: Path) -> list[str]:
    """What a page takes as there: `<!-- given: photos -->`."""
    found = re.search(r"^<!-- given: (.*) -->$", page.read_text(), re.M)
    return found[1].split() if found else []


def commands(block: Block) -> list[str]:
    """The command lines of a shell block, continued lines joined, comments left out."""
    whole = block.text.replace("\\\n", " ")
    return [line.strip() for line in whole.splitlines() if line.strip() and line.strip()[0] != "#"]
