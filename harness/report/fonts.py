"""Fonts for what the page's own face lacks: matplotlib's, typst's, this machine's, else a note.

The PDF is equal byte for byte wherever the packaged fonts have every character. Only a document
with characters that they lack (Japanese, emoji) takes a font of the machine.
"""

from __future__ import annotations

import functools
import unicodedata
from pathlib import Path
from typing import Any

UNSEEN = {"Cc", "Cf", "Cs", "Zs", "Zl", "Zp"}  # characters without a shape of their own
MOST_TRIED = 300  # characters that typst is asked for, 10 ms each


def packaged() -> Path:
    """The folder of the fonts that matplotlib ships."""
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf"


@functools.cache
def letters(font: str) -> frozenset[int]:
    """Code points that a font file has; empty for one that cannot be read."""
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(font).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()


def lacking(content: Any) -> set[str]:
    """Characters of all strings in `content` that no packaged font has."""
    known = letters(str(packaged() / "DejaVuSans.ttf"))
    left = {
        c
        for c in set(_text(content))
        if ord(c) > 0x7F and ord(c) not in known and unicodedata.category(c) not in UNSEEN
    }
    return {c for c in left if len(left) > MOST_TRIED or not _in_typst(c)}


@functools.cache
def _in_typst(character: str) -> bool:
    """Has one of the fonts within typst the character? Its archival PDF refuses what none has."""
    import typst

    page = f'#set document(title: "x")\n#"\\u{{{ord(character):x}}}"'
    try:
        typst.compile(page.encode(), ignore_system_fonts=True, pdf_standards=["a-2b"], timestamp=0)
    except typst.TypstError:
        return False
    return True


def found(characters: set[str]) -> tuple[list[Path], set[str]]:
    """(this machine's font files that have the characters, characters that none has)."""
    if not characters:
        return [], set()
    from matplotlib.font_manager import findSystemFonts

    left, chosen = set(characters), []
    for font in sorted(findSystemFonts()):
        has = {c for c in left if ord(c) in letters(font)}
        if has:
            chosen.append(Path(font))
            left -= has
        if not left:
            break
    return chosen, left


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        return "".join(_text(v) for v in content.values())
    if isinstance(content, (list, tuple)):
        return "".join(_text(v) for v in content)
    return ""


def named(characters: set[str]) -> str:
    """Characters by number and name, for a reader who cannot see them."""
    said = [
        f"U+{ord(c):04X} {unicodedata.name(c, 'unnamed').lower()}" for c in sorted(characters)[:12]
    ]
    more = len(characters) - len(said)
    return ", ".join(said) + (f" and {more} more" if more > 0 else "")


def breakable(text: str, longest: int = 28) -> str:
    """The text with places to break in words longer than `longest` letters."""
    if len(text) <= longest:
        return text
    words = []
    for word in text.split(" "):
        pieces = [word[i : i + longest] for i in range(0, len(word), longest)]
        words.append("\u200b".join(pieces) if len(word) > longest else word)
    return " ".join(words)
