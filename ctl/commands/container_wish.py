"""container-pin, -unpin, -migrate, -forgive: where the operator wants a container.

That is a row of its own by the container's name, so that it outlives a
container that goes and comes again.
"""

from __future__ import annotations

from functools import partial

from ...lib.addresses import quote
from ...lib.errors import UsageError
from ...lib.placement import count_forgiveness
from ..ask.eligible import check_eligible
from ..ask.lookup import ask_southbound, select
from ..ask.waiting import wait_for_migration
from ..ask.whereabouts import is_migrating
from ..context import Context
from ..db.row import Row
from .container import WISH, find

# What keeps a wish that pins a container no more.
_LASTING = ("forgive_cfg", "external_ids")


def pin(context: Context) -> None:
    """container-pin CONTAINER CHASSIS: it may run there and nowhere else.

    The pin stays when the container goes, and holds when it comes again.
    """
    name, row = _find_container(context)
    chassis = context.arguments[1]
    check_eligible(context, row, chassis, waits=True)
    wish = _get_wish(context, name)
    if wish.text("requested_chassis") == chassis and wish.has("forgive_cfg"):
        # Where it is pinned already, and failed, it is to be tried again.
        _forgive(wish, chassis)
    wish.set_atom("requested_chassis", chassis)


def unpin(context: Context) -> None:
    """container-unpin CONTAINER: lets a container run anywhere again."""
    wish = context.replica.find(WISH, "name", context.arguments[0])
    if wish is None:
        wish = context.replica.find(WISH, "name", _find_container(context)[0])
    if wish is None:
        return
    wish.set_atom("requested_chassis", None)
    lasting = [name for name in _LASTING if wish.has(name)]
    if not wish.find("migrate_cfg") and not any(wish.datum(name) for name in lasting):
        # Somebody may ask for something at this moment.
        wish.verify("migrate_cfg", *lasting)
        context.replica.delete(wish)


def migrate(context: Context) -> None:
    """container-migrate CONTAINER CHASSIS: moves it once; with --wait until that is over."""
    name, row = _find_container(context)
    chassis = context.arguments[1]
    wish = context.replica.find(WISH, "name", name)
    pinned = wish.text("requested_chassis") if wish else ""
    if pinned and pinned != chassis:
        raise UsageError(f"{name}: is pinned to {pinned}; unpin it, or pin it elsewhere")
    check_eligible(context, row, chassis)
    is_there = row is not None and row.text("chassis") == chassis
    if is_there and not (wish and is_migrating(wish)):
        context.warnings.append(f"{name} is on {chassis} already")
        return
    wish = _get_wish(context, name)
    wish.set_atom("migrate_chassis", chassis)
    wish.increment("migrate_cfg")
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
    _forgive(_get_wish(context, name), chassis)


# -- pieces ----------------------------------------------------------------


def _find_avoided(context: Context, name: str) -> set[str]:
    """Returns the chassis that a container avoids, or did a while ago."""
    where = [["container", "==", name]]
    subject = f"what container {quote(name)} avoids"
    rows = ask_southbound(context, [select("Avoided_Chassis", where, ["chassis"])], subject)
    return {str(row["chassis"]) for row in rows}


def _forgive(wish: Row, chassis: str | None) -> None:
    """Counts one more request to forgive 'chassis', or all."""
    datum = wish.datum("forgive_cfg")
    assert isinstance(datum, dict)
    numbers = {str(key): int(value) for key, value in datum.items()}
    # Of two that count at the same time the second counts again.
    wish.verify("forgive_cfg")
    wish.set("forgive_cfg", dict(count_forgiveness(numbers, chassis).items()))


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
