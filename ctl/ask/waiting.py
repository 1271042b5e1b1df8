"""What came of a request, for the commands that wait for more than a number.

svc-northd moves containers one after the other and says on their rows how that
goes.  Between two looks the server is asked to answer as soon as something has
changed, and at the latest after REFRESH_MS, so that what is said when the time
of --timeout is up is not old.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...lib.addresses import quote
from ...lib.errors import UsageError
from ...lib.placement import DELETED, NOT_DELETED_YET
from ...lib.sequence import has_reached
from ..context import Context
from ..db.row import Row
from ..db.rpc import Client
from .lookup import Json, open_southbound, read, select

REFRESH_MS = 500

_MOST_NAMED = 5
_WRITTEN = "the change is in the database"


def wait_for_migration(context: Context, client: Client, wish: Row, chassis: str) -> None:
    """Returns once the request to migrate of 'wish' is over and the container has migrated.

    Raises UsageError if it has not, or if the container is gone.
    """
    container, number = wish.text("name"), wish.find("migrate_cfg")
    where = [["name", "==", container]]
    selects = [
        select("Container_Wish", where, ["migrated_cfg", "migrate_status"]),
        select("Service_Container", where, ["status_message"]),
    ]
    while True:
        wishes, containers = read(client, selects)
        if not wishes or not containers:
            raise UsageError(f"{quote(container)}: the container was removed meanwhile")
        [found] = wishes
        if has_reached(found["migrated_cfg"], number):
            break
        reason = containers[0]["status_message"]
        context.settings.stage = (
            f"waiting for container {quote(container)} to migrate to {quote(chassis)}"
            f"{f' ({reason})' if reason else ''}; {_WRITTEN}"
        )
        _await_change(client, "Container_Wish", where, wishes)
    status = found["migrate_status"]
    if status == f"migrated to {chassis}":
        context.lines.append(f"{container}: {status}")
        return
    if found["migrated_cfg"] != number:
        status = f"another request came after that to migrate to {chassis}: {status}"
    raise UsageError(f"{quote(container)}: {status}")


def wait_for_deletion(context: Context, client: Client, chassis: str) -> None:
    """Returns once 'chassis' is deleted; raises UsageError if it is not."""
    where = [["name", "==", chassis]]
    columns = ["delete_cfg", "deleted_cfg", "delete_status"]
    while True:
        [rows] = read(client, [select("Chassis", where, columns)])
        if not rows:
            raise UsageError(f"{quote(chassis)}: somebody has removed its row meanwhile")
        if has_reached(rows[0]["deleted_cfg"], rows[0]["delete_cfg"]):
            break
        if rows[0]["delete_status"].startswith(NOT_DELETED_YET):
            told = f"{rows[0]['delete_status']}; svc-northd tries again"
            raise UsageError(f"{quote(chassis)}: {told}")
        context.settings.stage = f"waiting for chassis {quote(chassis)} to be deleted; {_WRITTEN}"
        _await_change(client, "Chassis", where, rows)
    if rows[0]["delete_status"] != DELETED:
        raise UsageError(f"{quote(chassis)}: {rows[0]['delete_status']}")
    context.lines.append(f"{chassis} is deleted")


def wait_for_drain(context: Context, client: Client, chassis: str) -> None:
    """Returns once no container is bound to 'chassis'; raises UsageError if that was undone."""
    where = [["chassis", "==", chassis]]
    southbound = open_southbound(context)
    try:
        while True:
            every, here = read(southbound, [_select_bindings(), _select_bindings(where)])
            if not here:
                context.lines.append(f"{chassis} is drained")
                return
            reasons = _find_reasons(client, chassis, every)
            names = sorted({row["container"] for row in here})
            context.settings.stage = (
                f"waiting for chassis {quote(chassis)} to be drained; "
                f"still there: {_join([_describe(name, reasons) for name in names])}"
            )
            _await_change(southbound, "Container_Binding", where, here)
    finally:
        southbound.close()


def _find_reasons(client: Client, chassis: str, bindings: Sequence[Json]) -> dict[str, str]:
    """Returns by container why it is where it is; raises UsageError if 'chassis' is not drained."""
    wishes, rows = read(
        client,
        [
            select("Chassis", [["name", "==", chassis], ["drain", "==", True]], ["name"]),
            select("Service_Container", (), ["name", "status_message"]),
        ],
    )
    if not wishes:
        raise UsageError(f"{quote(chassis)}: somebody has ended the drain meanwhile")
    reasons = {
        row["container"]: f"moving to {row['chassis']}"
        for row in bindings
        if row["chassis"] != chassis
    }
    said = {row["name"]: row["status_message"] for row in rows if row["status_message"]}
    return {**reasons, **said}


def _select_bindings(where: Sequence[Any] = ()) -> Json:
    return select("Container_Binding", where, ["container", "chassis"])


def _describe(container: str, reasons: dict[str, str]) -> str:
    reason = reasons.get(container)
    return f"{quote(container)} ({reason})" if reason else quote(container)


def _join(texts: Sequence[str]) -> str:
    more = len(texts) - _MOST_NAMED
    return ", ".join([*texts[:_MOST_NAMED], *([f"and {more} more"] if more > 0 else [])])


def _await_change(client: Client, table: str, where: Sequence[Any], rows: Sequence[Json]) -> None:
    """Returns when 'rows', which 'where' has selected, have changed, or after REFRESH_MS."""
    operation = {
        "op": "wait",
        "timeout": REFRESH_MS,
        "table": table,
        "where": list(where),
        "columns": sorted(rows[0]),
        "until": "!=",
        "rows": list(rows),
    }
    client.transact([operation])
