"""Study YAML to frozen, strict settings: profiles, overrides, matrix, readable errors."""

from harness.spec.schema import StudySettings
from harness.spec.study import BadStudy, Run, Study, load_study, profiles

__all__ = ["BadStudy", "Run", "Study", "StudySettings", "load_study", "profiles"]
