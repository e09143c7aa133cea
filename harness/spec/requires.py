"""`requires: harness>=0.2` in a study: which versions of the harness it was written for.

Checked before anything else in the study: a field of a later version would otherwise be reported as
a spelling mistake.
"""

from __future__ import annotations

import re

from harness.errors import BadInput
from harness.spec.explain import written
from harness.spec.source import Source

NAMES = ("harness", "scaling-study-harness")


def check(study: Source, version: str) -> None:
    """Raise BadInput, with file and line, unless the study allows this `version`."""
    text = study.data.get("requires")
    if text is None:
        return
    # few studies use it, and these imports take time
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.version import Version

    place = study.place(("requires",))
    if not isinstance(text, str):
        raise BadInput(
            f"{place}: requires is {written(text)}; it should be text: write harness>=0.2"
        )
    try:
        wanted = Requirement(text)
    except InvalidRequirement as error:
        version_alone = re.fullmatch(r"\s*((?:===?|~=|!=|[<>]=?)\s*)([\w.*+!-]+)\s*", text)
        what = (
            f"without the name before it: write harness{text.strip()}"
            if version_alone
            else "which asks for no version: write harness>=0.2"
        )
        raise BadInput(f"{place}: requires is {text!r}, {what}") from error
    if wanted.name.lower().replace("_", "-") not in NAMES:
        raise BadInput(
            f"{place}: requires: {text!r} asks for {wanted.name}; a study says which harness it "
            "needs, as harness>=0.2 (packages of its components stand in their own files)"
        )
    more = (
        *(["an address (@)"] if wanted.url else []),
        *(["extras ([...])"] if wanted.extras else []),
        *(["an environment marker (;)"] if wanted.marker else []),
    )
    if more:
        raise BadInput(
            f"{place}: requires is {text!r}, with {' and '.join(more)}, and a version alone is "
            f"read: write harness{wanted.specifier or '>=0.2'}"
        )
    if not wanted.specifier.contains(Version(version), prereleases=True):
        raise BadInput(
            f"{place}: this study needs harness{wanted.specifier}, and this is {version}: "
            "pip install --upgrade scaling-study-harness, or use the version it asks for"
        )
