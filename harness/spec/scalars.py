"""Unquoted words of a study: a number is decimal as a person reads it, a boolean is true or false.

YAML 1.1 reads 0400 as 256, 1:30:00 as 5400, 0x10 as 16 and `on` as true. Here these stay text, as
an `account: 0400` or a name `no` is meant, and where a number or a boolean is meant the error
says what to write (`instead_of`).
"""

from __future__ import annotations

import re
from decimal import Decimal

NULL = re.compile(r"^(~|null|Null|NULL|)$")
BOOLEAN = re.compile(r"^(true|True|TRUE|false|False|FALSE)$")
_DIGITS = r"\d+(_\d+)*"
_WHOLE = r"(0|[1-9]\d*(_\d+)*)"
INTEGER = re.compile(rf"^[-+]?{_WHOLE}$")
FLOAT = re.compile(
    rf"^[-+]?({_WHOLE}\.({_DIGITS})?([eE][-+]?\d+)?|{_WHOLE}[eE][-+]?\d+|\.{_DIGITS}([eE][-+]?\d+)?"
    r"|\.(inf|Inf|INF))$|^\.(nan|NaN|NAN)$"
)
# what may begin each of them
FIRST = {"null": ["~", "n", "N", ""], "bool": list("tTfF"), "int": list("-+0123456789")}
FIRST["float"] = [*FIRST["int"], "."]
PATTERNS = {"null": NULL, "bool": BOOLEAN, "int": INTEGER, "float": FLOAT}

_BASED = re.compile(r"^[-+]?0([xX][0-9a-fA-F_]+|[bB][01_]+|[oO][0-7_]+)$")
_LEADING_ZEROS = re.compile(r"^([-+]?)0[\d_]*(\.[\d_]*)?([eE][-+]?\d+)?$")
_BASE_60 = re.compile(r"^[-+]?\d+(:\d+)+(\.\d*)?$")
_DASHES = re.compile("[\u2010-\u2015\u2212\ufe63\uff0d]")
_DATE = re.compile(r"^\d{4}-\d{1,2}-\d{1,2}([Tt ].*)?$")
_COMMAS = re.compile(r"^[-+]?[1-9]\d{0,2}(,\d{3})+$")
_SPACES = re.compile(r"^[-+]?\d{1,3}([ '\u00a0\u202f]\d{3})+$")
_LOOSE = re.compile(r"^[-+]?_*\d[\d_]*$")  # underscores that group nothing
_POINT = r"(?:\d+|\d*\.\d+|\d+\.)"
_DECIMAL_COMMA = re.compile(r"^([-+]?\d+),(\d+)([eE][-+]?\d+)?$")
_FORTRAN = re.compile(rf"^([-+]?{_POINT})[dD]([-+]?\d+)$")
_PERCENT = re.compile(rf"^([-+]?{_POINT}) ?%$")
_POWER = re.compile(rf"^[-+]?{_POINT} ?([*x×] ?10 ?)?(\^|\*\*) ?[-+]?\d+$")
_ARITHMETIC = re.compile(r"^[-+\d.(][-+\d. ()]*([*/]|\*\*|\^|[-+](?=[ \d(]))[-+*/\d. ()^eE]*$")
_SUFFIX = re.compile(r"^([-+]?\d+(?:\.\d+)?) ?([kKMG])$")
LONGEST = 100  # characters of what may be meant as a number
_TIMES = {"k": 3, "K": 3, "M": 6, "G": 9}
_SAID = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
_SAID |= {"true": "true", "false": "false"}


def beyond(text: str) -> str | None:
    """ "too large" or "too small" of a decimal number that a computer's cannot hold; else None.

    >>> beyond("1e400"), beyond("-1e-400"), beyond("0e5"), beyond(".inf")
    ('too large', 'too small', None, None)
    >>> beyond("9" * 400)
    'too large'
    """
    if INTEGER.match(text):
        return "too large" if len(text) > LONGEST else None
    if not FLOAT.match(text) or "inf" in text.lower() or "nan" in text.lower():
        return None
    value = float(text.replace("_", ""))
    if value in (float("inf"), float("-inf")):
        return "too large"
    digits = re.split("[eE]", text)[0]
    return "too small" if value == 0 and re.search("[1-9]", digits) else None


def instead_of(text: str, boolean: bool = False) -> str | None:
    """The number (or boolean) that is meant where `text` was written; None: unknown.

    >>> instead_of("0400")
    'write 400 (leading zeros make it octal to some readers, 256)'
    >>> instead_of("off", boolean=True)
    'write false'
    >>> instead_of("1e\N{EN DASH}4")
    'write 1e-4 (its dash is no hyphen)'
    """
    text = text.strip()
    if len(text) > LONGEST:
        return None
    if (hyphens := _DASHES.sub("-", text)) != text:  # as word processors and PDFs write a minus
        fits = INTEGER.match(hyphens) or FLOAT.match(hyphens)
        return f"write {hyphens} (its dash is no hyphen)" if fits else None
    if text.isdecimal() and not text.isascii():  # digits of other scripts, full-width ones
        return f"write {int(text)}"
    if boolean:
        said = _SAID.get(text.lower())
        return None if said is None else f"write {said}" + ("" if text != said else " unquoted")
    if INTEGER.match(text) or FLOAT.match(text):
        return f"write {text}, without quotes"
    if _BASED.match(text):
        return f"write {int(text.replace('_', ''), 0)} (numbers are decimal)"
    if found := _LEADING_ZEROS.match(text):
        digits = text[len(found[1]) :].lstrip("0_")
        digits = digits if digits[:1].isdigit() else f"0{digits}"
        plain = text.replace("_", "")
        octal = int(plain, 8) if re.fullmatch("0[0-7]+", plain) else None
        told = "no leading 0"
        if octal is not None and octal != int(plain):
            told = f"leading zeros make it octal to some readers, {octal}"
        return f"write {found[1].strip('+')}{digits} ({told})"
    if _BASE_60.match(text):
        return "write one decimal number in the field's own unit (times of day are not read)"
    if _DATE.match(text):
        return "it is a date: write a number"
    if _COMMAS.match(text):
        return f"write {text.replace(',', '_')} or {text.replace(',', '')}"
    if _SPACES.match(text):
        return f"write {re.sub('[^-+0-9]', '_', text)} or {re.sub('[^-+0-9]', '', text)}"
    if _LOOSE.match(text):
        return f"write {int(text.replace('_', ''))}"
    if found := _SUFFIX.match(text):
        number = Decimal(found[1]).scaleb(_TIMES[found[2]])
        return f"write {int(number)}" if number == int(number) else None
    if found := _DECIMAL_COMMA.match(text):
        return f"write {found[1]}.{found[2]}{found[3] or ''} (a point, where others have a comma)"
    if found := _FORTRAN.match(text):
        return f"write {found[1]}e{found[2]}"
    if found := _PERCENT.match(text):
        return f"write {Decimal(found[1]).scaleb(-2).normalize():f}, if it is a share"
    if _POWER.match(text) or _ARITHMETIC.match(text):
        return "nothing is computed in a study: write the number"
    return None
