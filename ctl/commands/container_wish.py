"""container-pin, -unpin, -migrate, -forgive: where the operator wants a container.

That is a row of its own by the container's name, so that it outlives a
container that goes and comes again.
"""

from __future__ import annotations

from functools import partial

from ...lib import container_wish
from ...lib.addresses import quote
from ...lib.errors import UsageError
from ..ask.eligible import check_eligible
from ..ask.lookup import ask_southbound, select
from ..ask.waiting import wait_for_migration
from ..context import Context
from ..db.row import Row
from .container import WISH, find


def pin(context: Context) -> None:
    """container-pin CONTAINER CHASSIS: it may run there and nowhere else.

    The pin stays when the container goes, and holds when it comes again.
    """
    name, row = _find_container(context)
    chassis = context.arguments[1]
    check_eligible(context, row, chassis, waits=True)
    wish = _get_wish(context, name)
    container_wish.pin(wish, chassis)


def unpin(context: Context) -> None:
    """container-unpin CONTAINER: lets a container run anywhere again."""
    wish = context.replica.find(WISH, "name", context.arguments[0])
    if wish is None:
        wish = context.replica.find(WISH, "name", _find_container(context)[0])
    if wish is not None and container_wish.unpin(wish):
        context.replica.delete(wish)


def migrate(context: Context) -> None:
    """container-migrate CONTAINER CHASSIS: moves it once; with --wait until that is over."""
    name, row = _find_container(context)
    chassis = context.arguments[1]
    wish = context.replica.find(WISH, "name", name)
    problem = container_wish.find_migration_problem(name, wish, chassis)
    if problem is not None:
        raise UsageError(problem)
    check_eligible(context, row, chassis)
    is_there = row is not None and row.text("chassis") == chassis
    if is_there and not (wish and container_wish.is_migrating(wish)):
        context.warnings.append(f"{name} is on {chassis} already")
        return
    wish = _get_wish(context, name)
    container_wish.migrate(wish, chassis)
    if context.has("wait"):
        context.follow_up = partial(wait_for_migration, context, wish=wish, chassis=chassis)


def forgive(context: Context) -> None:
    """container-forgive CONTAINER [CHASSIS]: lets it be tried at once where it failed.

    One that fails there again is avoided again, for as long as after a first failure.
    """
    name, row = _find_container(context)
    chassis = context.argument(1)
    if row is not None and not context.settings.has("no-check"):
        avoided = _find_avoided(context, name)
        if chassis is not None and chassis not in avoided and not context.has("if-exists"):
            raise UsageError(f"{quote(chassis)}: not avoided by container {quote(name)}")
        if not avoided or chassis not in (None, *avoided):
            return
    container_wish.forgive(_get_wish(context, name), chassis)


# -- pieces ----------------------------------------------------------------


def _find_avoided(context: Context, name: str) -> set[str]:
    """Returns the chassis that a container avoids, or did a while ago."""
    where = [["container", "==", name]]
    subject = f"what container {quote(name)} avoids"
    rows = ask_southbound(context, [select("Avoided_Chassis", where, ["chassis"])], subject)
    return {str(row["chassis"]) for row in rows}


def _find_container(context: Context) -> tuple[str, Row | None]:
    """Returns the name of the container that is meant and its row, None with --no-check only."""
    text = context.arguments[0]
    row = find(context, text)
    if row is not None:
        return row.text("name"), row
    if not text or not context.settings.has("no-check"):
        raise UsageError(f"{text}: container not found")
    return text, None


def _get_wish(context: Context, name: str) -> Row:
    """Returns the wish for a container, a new one if there is none."""
    wish = context.replica.find(WISH, "name", name)
    if wish is None:
        wish = context.replica.insert(WISH)
        wish.set_atom("name", name)
        if not context.replica.has_deleted(WISH, "name", name):
            # Of two that make it at the same time the second takes the row of the first.
            wish.verify_absent("name")
    return wish
