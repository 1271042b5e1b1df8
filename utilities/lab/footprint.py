"""What the memory of a process consists of: bytes that can be reached from parts of it.

Called by stepped.py.  What the allocator and the interpreter keep is not counted.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Mapping
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

# Behind these is the program, which is the same for any number of rows.
_CODE = (type, FunctionType, BuiltinFunctionType, MethodType, ModuleType)
_GRAIN = 16  # bytes that the allocator rounds up to
_AT_ONCE = 10_000


def measure(parts: Mapping[str, Any]) -> dict[str, int]:
    """Returns the bytes of each part; what two of them hold counts for the first."""
    seen: set[int] = set()
    return {name: _measure(root, seen) for name, root in parts.items()}


def _measure(root: Any, seen: set[int]) -> int:
    total = 0
    waiting = [root]
    while waiting:
        chosen, waiting[-_AT_ONCE:] = waiting[-_AT_ONCE:], []
        fresh = []
        for each in chosen:
            if id(each) not in seen and not isinstance(each, _CODE):
                seen.add(id(each))
                fresh.append(each)
                total += (sys.getsizeof(each) + _GRAIN - 1) // _GRAIN * _GRAIN
        waiting += gc.get_referents(*fresh)
    return total
