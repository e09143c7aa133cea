"""Studies into the wheel: they lie at the top of the repository, and in the package once installed.

Everything else about the build is in pyproject.toml.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithStudies(build_py):
    """Copies studies/*.yaml to harness/studies/, where harness.spec.shipped looks for them."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return  # a checkout's own studies/ are used
        target = Path(self.build_lib) / "harness" / "studies"
        shutil.rmtree(target, ignore_errors=True)  # of an earlier build in the same folder
        target.mkdir(parents=True)
        for study in sorted(Path("studies").glob("*.yaml")):
            shutil.copyfile(study, target / study.name)


setup(cmdclass={"build_py": BuildWithStudies})
