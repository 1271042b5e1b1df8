"""The start of svcctl as a program, as a file that 'python3 -S' runs (utilities/svcctl).

So Python does not look through its environment for packages, which takes as long as
a command does; who needs an installed one looks then (site_packages.py).
"""

import gc
import importlib
import os
import sys


def start() -> int:
    """Runs svcctl and returns its exit status."""
    root = os.path.dirname(os.path.abspath(sys.path.pop(0)))
    package = type(sys)("ovnsvc")
    package.__path__ = [root]
    sys.modules["ovnsvc"] = package
    # What a command makes it keeps until its end.
    gc.disable()
    status: int = importlib.import_module(f"{package.__name__}.ctl.main").main()
    return status


if __name__ == "__main__":
    sys.exit(start())
