"""What a Run of svcctl has and one of the API has not: other databases, and something to print on.

Commands that change rows ask a Run for little of this, and take what is said
here as what they get with --no-check.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..lib.errors import UsageError
from ..lib.router import Router
from ..services.api.commands import Atom, Datum, OutputTable


class Alone:
    """The part of services/api/commands.py's Run by which nothing is known and nothing told."""

    no_check = True
    shows_secrets = False
    table_format: str | None = None

    def read_secret(self, option: str, path: str, noun: str, *, one_line: bool = True) -> str:
        """Raises UsageError: the API takes secrets as they are."""
        raise UsageError(f"--{option}: secrets are not read from files here")

    def start_table(self, headings: Sequence[str], below: Sequence[str] = ()) -> OutputTable:
        """Raises UsageError: nothing is printed."""
        raise UsageError("the API prints no table")

    def find_routers(self, text: str) -> Sequence[Router]:
        """Returns none: OVN is not asked."""
        return ()

    def find_address_user(self, router: Router, address: str) -> str | None:
        """Returns None: OVN is not asked."""
        return None

    def find_units(self, text: str) -> Sequence[str]:
        """Returns none: nothing is listed."""
        return ()

    def read_southbound(
        self, *questions: tuple[str, str, Atom]
    ) -> Sequence[Sequence[Mapping[str, Datum]]] | str:
        """Returns that the southbound is not read."""
        return "the southbound is not read"

    def warn_if_stale(self) -> None:
        """Does nothing: nothing is listed."""

    def refuse_format(self) -> None:
        """Does nothing: nothing is printed."""
