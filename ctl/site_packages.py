"""Installed packages, for a svcctl that was started without them (start.py)."""

from __future__ import annotations

import sys


def find_packages() -> None:
    """Makes what is installed importable, if that is not so yet."""
    if sys.flags.no_site and "site" not in sys.modules:
        import site

        site.main()
