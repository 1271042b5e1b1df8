"""The type's part of 'show' and 'status'."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ....lib.addresses import quote
from ....lib.container import KEPT
from ...api.commands import Run, StatusLines, TableRow

SERVICE = "VPN_Service"
CONNECTION = "IPsec_Connection"


def show(run: Run, name: str | None) -> Sequence[str]:
    """Returns every VPN service with its connections, or the one that 'name' means."""
    if name is None:
        rows = sort_by_name(run, SERVICE)
    else:
        found = run.find_row(SERVICE, name)
        rows = [found] if found is not None else []
    return [line for row in rows for line in _show_service(run, row)]


def tell_status(run: Run) -> StatusLines:
    """Returns how many services and connections are up, and what is wrong."""
    services = sort_by_name(run, SERVICE)
    new = [row.text("name") for row in services if not row.text("status")]
    return StatusLines(
        counts=[
            f"VPN services: {_count(services)}",
            f"connections: {_count(list(run.rows(CONNECTION).values()))}",
        ],
        delays=[f"VPN service {quote(new[0])} has no status yet"] if new else [],
        problems=[
            *(f"{_name(row)}: {row.text('status_message')}" for row in services if _is_wrong(row)),
            *(
                f"{_name(service)}/{_name(row)}: {row.text('status_message')}"
                for service in services
                for row in members_of(run, service)
                if _is_kept(row)
                or row.text("status") == "partial"
                or (row.text("status") == "error" and not _is_wrong(service))
            ),
        ],
    )


def _is_wrong(row: TableRow) -> bool:
    return row.text("status") == "error" or _is_kept(row)


def _is_kept(row: TableRow) -> bool:
    """Returns whether what runs is not as the row is, since that cannot be served."""
    return row.text("status_message").startswith(KEPT)


def sort_by_name(run: Run, table: str) -> list[TableRow]:
    """Returns the rows of 'table' in the order of their names."""
    return sorted(run.rows(table).values(), key=lambda row: row.text("name"))


def members_of(run: Run, service: TableRow) -> list[TableRow]:
    """Returns the connections of 'service'."""
    return list(run.get_all(CONNECTION, service.strings("connections")))


def _show_service(run: Run, row: TableRow) -> Iterator[str]:
    group = run.get("Container_Group", row.text("group"))
    yield f"vpn {_name(row)} (router {row.text('router')})"
    yield from _list_facts(
        "    ",
        ("address mode", row.text("address_mode")),
        ("external", ", ".join(row.strings("external_ips"))),
        ("local", ", ".join(row.strings("local_subnets"))),
        ("group", group.text("name") if group else ""),
        ("enabled", "false" if row.find("enabled") is False else ""),
        ("status", _join(row.text("status"), row.text("status_message"))),
    )
    for member in sorted(members_of(run, row), key=lambda each: each.text("name")):
        yield f"    connection {_name(member)}"
        yield from _list_facts(
            "        ",
            ("peer", member.text("peer_address")),
            ("peer id", member.text("peer_id")),
            ("local id", member.text("local_id")),
            ("peer subnets", ", ".join(member.strings("peer_subnets"))),
            ("enabled", "false" if member.find("enabled") is False else ""),
            ("status", _join(member.text("status"), member.text("status_message"))),
        )


def _list_facts(indent: str, *facts: tuple[str, str]) -> Iterator[str]:
    for name, value in facts:
        if value:
            yield f"{indent}{name}: {value}"


def _name(row: TableRow) -> str:
    return row.text("name") or '""'


def _join(status: str, reason: str) -> str:
    return f"{status} ({reason})" if status and reason else status or reason


def _count(rows: Sequence[TableRow]) -> str:
    up = sum(1 for row in rows if row.text("status") == "up")
    return f"{up} of {len(rows)} up"
