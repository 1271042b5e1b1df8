"""What the operator's wish for a container (a row of Container_Wish) becomes, and what it means.

For svcctl and for the API, whose rows are alike.  A server's schema that has no 'forgive_cfg'
yet is known by 'has'.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from .placement import count_forgiveness
from .sequence import has_reached

_FORGIVEN = "forgive_cfg"

# What keeps a wish that pins a container no more.
_LASTING = (_FORGIVEN, "external_ids")


class Wish(Protocol):
    """A row of Container_Wish, with the changes of the current transaction applied."""

    def has(self, column: str) -> bool:
        """Returns whether the server's schema has 'column'."""

    def datum(self, column: str) -> Any:
        """Returns the value of 'column'."""

    def find(self, column: str) -> Any:
        """Returns the one atom of 'column', or None if there is none."""

    def text(self, column: str) -> str:
        """Returns the string in 'column', or "" if there is none."""

    def set(self, column: str, datum: Any) -> None:
        """Sets 'column' to 'datum'."""

    def set_atom(self, column: str, atom: Any) -> None:
        """Sets 'column' to 'atom', or to nothing."""

    def increment(self, column: str) -> Any:
        """Adds 1 to a number, so that two who do it at once count twice."""

    def verify(self, *columns: str) -> None:
        """Makes everything run again if one of 'columns' has changed since it was read."""


def pin(wish: Wish, chassis: str) -> None:
    """The container may run on 'chassis' and nowhere else."""
    if wish.text("requested_chassis") == chassis and wish.has(_FORGIVEN):
        # Where it is pinned already, and failed, it is to be tried again.
        forgive(wish, chassis)
    wish.set_atom("requested_chassis", chassis)


def unpin(wish: Wish) -> bool:
    """The container may run anywhere; returns whether the row says nothing else and may go."""
    wish.set_atom("requested_chassis", None)
    lasting = [name for name in _LASTING if wish.has(name)]
    if wish.find("migrate_cfg") or any(wish.datum(name) for name in lasting):
        return False
    # Somebody may ask for something at this moment.
    wish.verify("migrate_cfg", *lasting)
    return True


def find_migration_problem(name: str, wish: Wish | None, chassis: str) -> str | None:
    """Returns why a container of this name cannot be moved to 'chassis'."""
    pinned = wish.text("requested_chassis") if wish is not None else ""
    if pinned in ("", chassis):
        return None
    return f"{name}: is pinned to {pinned}; unpin it, or pin it elsewhere"


def migrate(wish: Wish, chassis: str) -> None:
    """The container moves to 'chassis' once."""
    wish.set_atom("migrate_chassis", chassis)
    wish.increment("migrate_cfg")


def is_migrating(wish: Wish) -> bool:
    """Returns whether a request to migrate is not over yet."""
    return bool(not has_reached(wish.find("migrated_cfg"), wish.find("migrate_cfg")))


def forgive(wish: Wish, chassis: str | None) -> None:
    """Counts one more request to forgive 'chassis', or all."""
    datum: Mapping[Any, Any] = wish.datum(_FORGIVEN)
    numbers = {str(key): int(value) for key, value in datum.items()}
    # Of two that count at the same time the second counts again.
    wish.verify(_FORGIVEN)
    wish.set(_FORGIVEN, dict(count_forgiveness(numbers, chassis).items()))
