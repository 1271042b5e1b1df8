"""What svc-northd and the chassis answer to a change, where --wait waits for that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..lib.sequence import find_earlier
from .db.records import ROOT
from .db.rpc import Client
from .options import GlobalOptions
from .results import check_results

Touched = tuple[str, str, str]
"""A row that was written: its table, its UUID, and the column of its status."""


def wait(client: Client, settings: GlobalOptions, next_cfg: int, start_ms: int) -> str:
    """Returns once 'next_cfg' was answered, with the text on the time that took if asked for."""
    columns = ["sb_cfg", "hv_cfg"] if settings.wait == "hv" else ["sb_cfg"]
    whom = "svc-northd and all chassis" if settings.wait == "hv" else "svc-northd"
    settings.stage = f"waiting for {whom} (nb_cfg {next_cfg}); the change is in the database"
    # With no chassis hv_cfg may run ahead, so both numbers have to be there.
    operations = [
        {
            "op": "wait",
            "table": ROOT,
            "where": [[column, ">=", least], [column, "<=", most]],
            "columns": [column],
            "until": "==",
            "rows": [],
        }
        for column in columns
        for least, most in find_earlier(next_cfg)
    ]
    check_results(operations, client.transact(operations))
    if not settings.has("print-wait-time"):
        return ""
    [root] = client.select([ROOT])[ROOT]
    return _format_wait_time(settings, root, next_cfg, start_ms)


def find_errors(client: Client, touched: Sequence[Touched]) -> list[str]:
    """Returns what svc-northd says is wrong with the rows that were written."""
    operations = [
        {
            "op": "select",
            "table": table,
            "where": [["_uuid", "==", ["uuid", uuid]], [column, "==", "error"]],
            "columns": ["name", "status_message"],
        }
        for table, uuid, column in touched
    ]
    results = client.transact(operations) if operations else []
    rows = [row for result in results for row in result.get("rows", ())]
    return [f"{row['name']}: {row['status_message']}" for row in rows]


def _format_wait_time(
    settings: GlobalOptions, root: dict[str, Any], next_cfg: int, start_ms: int
) -> str:
    def since(column: str) -> str:
        return f"{root[column] - start_ms}ms\n"

    lines = [
        f"Time spent on processing nb_cfg {next_cfg}:\n",
        f"\tsvc-northd delay before processing:\t{since('nb_cfg_timestamp')}",
        f"\tsvc-northd completion:\t\t\t{since('sb_cfg_timestamp')}",
    ]
    if settings.wait == "hv":
        lines.append(f"\tsvc-controller(s) completion:\t\t{since('hv_cfg_timestamp')}")
    return "".join(lines)
