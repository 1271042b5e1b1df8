"""The type's part of 'show' and 'status'."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ....lib.addresses import quote
from ....lib.container import KEPT
from ...api.commands import Problem, Run, StatusLines, TableRow

SERVICE = "VPN_Service"
CONNECTION = "IPsec_Connection"


def show(run: Run, name: str | None) -> Sequence[str]:
    """Returns every VPN service with its connections, or the one that 'name' means."""
    if name is None:
        rows = sort_by_name(run, SERVICE)
    else:
        from .meaning import find_services

        rows = find_services(run, name)
        # All at once, since each question costs a round trip.
        run.get_all(CONNECTION, [each for row in rows for each in row.strings("connections")])
        run.get_all("Container_Group", sorted({row.text("group") for row in rows} - {""}))
    return [line for row in rows for line in _show_service(run, row)]


def tell_status(run: Run) -> StatusLines:
    """Returns how many services and connections are up, and what is wrong."""
    services = sort_by_name(run, SERVICE)
    connections = list(run.rows(CONNECTION).values())
    new = [row.text("name") for row in services if not row.text("status")]
    return StatusLines(
        counts=[
            f"VPN services: {_count(services)}",
            f"connections: {_count(connections)}",
        ],
        delays=[f"VPN service {quote(new[0])} has no status yet"] if new else [],
        problems=[each for row in services for each in _find_problems(run, row)],
        works=_find_tally(connections),
    )


def _find_problems(run: Run, service: TableRow) -> Iterator[Problem]:
    """Returns what is wrong with the connections of a service, and with itself if that is more."""
    members = members_of(run, service)
    is_wrong = service.text("status") == "error" or _is_kept(service)
    wrong = [
        row
        for row in sorted(members, key=lambda each: each.text("name"))
        if _find_state(row) and not (is_wrong and row.text("status") == "error")
    ]
    if is_wrong or (_find_state(service) and not wrong):
        idle = all(row.text("status") == "disabled" for row in members)
        state = "note" if idle and not is_wrong else _find_state(service)
        yield _make_problem(state, _name(service), service)
    for row in wrong:
        yield _make_problem(_find_state(row), f"{_name(service)}/{_name(row)}", row)
    yield from _find_vain_options(_name(service), service)
    for row in members:
        yield from _find_vain_options(f"{_name(service)}/{_name(row)}", row)


def _find_vain_options(name: str, row: TableRow) -> Iterator[Problem]:
    """Returns which options of a row mean nothing."""
    options = row.datum("options") if row.has("options") else {}
    assert isinstance(options, dict)
    if options:
        from ....lib.option_keys import find_unknown

        unknown = find_unknown({str(key): str(value) for key, value in options.items()})
        yield Problem("warning", name, unknown or "")


def _make_problem(state: str, name: str, row: TableRow) -> Problem:
    return Problem(state, name, row.text("status_message"), find_since(row))


def _find_state(row: TableRow) -> str:
    """Returns the word for what is wrong with a row, "" if nothing is."""
    status = row.text("status")
    if status in ("error", "down", "partial"):
        return status
    return "kept" if _is_kept(row) else ""


def _find_tally(connections: Sequence[TableRow]) -> tuple[int, int]:
    """Returns how many connections have a tunnel, and how many are to have one."""
    statuses = [row.text("status") for row in connections]
    wanted = [each for each in statuses if each and each != "disabled"]
    return sum(1 for each in wanted if each in ("up", "partial")), len(wanted)


def find_since(row: TableRow) -> int | None:
    """Returns since when a row has its status, None if that is not known."""
    return row.find("since") if row.has("since") else None


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
    statuses = [row.text("status") for row in rows]
    counts = {word: statuses.count(word) for word in ("partial", "disabled")}
    shown = ", ".join(f"{number} {word}" for word, number in counts.items() if number)
    wanted = len(rows) - counts["disabled"]
    return f"{statuses.count('up')} of {wanted} up{f' ({shown})' if shown else ''}"
