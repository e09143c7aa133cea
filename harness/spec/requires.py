"""`requires: harness>=0.2` in a study: which versions of the harness it was written for.

Checked before anything else in the study: a field of a later version would otherwise be reported as
a spelling mistake.
"""

from __future__ import annotations

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
        raise BadInput(
            f"{place}: requires is {text!r}, which asks for no version: write harness>=0.2"
        ) from error
    if wanted.name.lower().replace("_", "-") not in NAMES:
        raise BadInput(
            f"{place}: requires: {text!r} asks for {wanted.name}; a study says which harness it "
            "needs, as harness>=0.2 (packages of its components stand in their own files)"
        )
    if not wanted.specifier.contains(Version(version), prereleases=True):
        raise BadInput(
            f"{place}: this study needs harness{wanted.specifier}, and this is {version}: "
            "pip install --upgrade scaling-study-harness, or use the version it asks for"
        )
