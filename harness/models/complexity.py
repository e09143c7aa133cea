"""The name under which some callers import `harness.models.counting`.

`harness.models.complexity` is a function. Importing this module puts the module in its place, so
the module can be called as the function is.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from harness.models.counting import Complexity, complexity

__all__ = ["Complexity", "complexity"]


class _Callable(ModuleType):
    def __call__(self, *args: Any, **settings: Any) -> Complexity:
        return complexity(*args, **settings)


sys.modules[__name__].__class__ = _Callable
