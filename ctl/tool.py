"""Which program runs: svcctl for the northbound, or svc-sbctl for the southbound.

They are one program with two tables of commands, as ovn-nbctl and ovn-sbctl are.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..lib.schema import NORTHBOUND
from ..services.api.commands import Section
from .core_commands import SECTIONS


class Tool:
    """A program: its name, what it is for, its database and commands.

    'typed' is whether service types have commands of it, 'refused' are the global
    options that make no sense with it.
    """

    __slots__ = ("database", "name", "purpose", "refused", "sections", "typed")

    def __init__(
        self,
        name: str,
        purpose: str,
        database: str,
        sections: Sequence[Section],
        refused: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.purpose = purpose
        self.database = database
        self.sections = sections
        self.refused = frozenset(refused)
        self.typed = database == NORTHBOUND


SVCCTL = Tool("svcctl", "says what service containers there are to be", NORTHBOUND, SECTIONS)
