"""A site's preset: what a cluster asks of every job, written once.

    export HARNESS_SITE=/path/to/site.yaml      in a shell's profile, or in an environment module

    partition: gpu            # any fields of PRESET, a section of the study
    account: vision
    extra: {reservation: paper}

The study is laid over it: a field that the study, its profile or `--set` gives takes its place.
Nothing in it is part of a key.
"""

from __future__ import annotations

import os

from harness.spec import source as yaml_source
from harness.spec.dispatching import PRESET
from harness.spec.source import Source

VARIABLE = "HARNESS_SITE"


def beneath(study: Source) -> Source:
    """The study with the site's preset below it. Raises BadInput when that cannot be read."""
    path = os.environ.get(VARIABLE)
    if not path:
        return study
    preset = yaml_source.read(path)
    places = {(*PRESET, *at): place for at, place in preset.places.items()}
    data = preset.data
    for section in reversed(PRESET):
        data = {section: data}
    base = Source(data, places)
    return yaml_source.merged(base, study.data, study.places)
