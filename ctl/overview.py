"""init, sync, show, status: the whole at a glance."""

from __future__ import annotations

from ..lib.addresses import quote
from ..lib.errors import UsageError
from ..lib.options import find_problems
from .command import Context
from .lookup import Json, open_southbound, read, select
from .moment import format_time
from .records import ROOT, find_row, get_root
from .replica import Row

# northd/leader/leadership.py
_NORTHD_LOCK = "svc_northd"


def init(context: Context) -> None:
    """init: makes the root row if it is not there yet."""
    get_root(context.replica)


def sync(context: Context) -> None:
    """sync: waits, as --wait says, though nothing changes."""
    if context.settings.wait == "none":
        context.warnings.append('"sync" has no effect without --wait')
    else:
        context.forces_wait = True


def show(context: Context) -> None:
    """show [NAME]: the VPN services with their connections, and the containers, as a tree."""
    context.refuse_format()
    name = context.argument(0)
    services, containers = _sorted(context, "VPN_Service"), _sorted(context, "Service_Container")
    if name is not None:
        service = find_row(context.replica, "VPN_Service", name)
        container = find_row(context.replica, "Service_Container", name)
        if service is None and container is None:
            raise UsageError(f"{name}: neither a VPN service nor a container has this name")
        services = [service] if service else []
        containers = [container] if container else []
    for row in services:
        _show_service(context, row)
    for row in containers:
        _show_container(context, row)


def status(context: Context) -> None:
    """status: what there is, and how much of it works."""
    context.refuse_format()
    replica = context.replica
    selects = [
        select("Chassis", (), ["name"]),
        select("Chassis_Weight", (), ["chassis", "alive"]),
        select("Northd"),
    ]
    client = open_southbound(context)
    try:
        chassis, weights, northds = read(client, selects)
        led = client.is_locked(_NORTHD_LOCK)
    finally:
        client.close()
    known = {row["name"] for row in chassis}
    alive = {row["chassis"] for row in weights if row["alive"]} & known
    context.lines += [
        f"VPN services: {_count(context, 'VPN_Service', 'status', 'up')}",
        f"connections: {_count(context, 'IPsec_Connection', 'status', 'up')}",
        f"containers: {_count(context, 'Service_Container', 'status_code', 'running')}",
        f"chassis: {len(alive)} of {len(known)} alive",
        _describe_northd(northds, led),
    ]
    root = next(iter(replica.rows(ROOT).values()), None)
    if root is None:
        context.lines.append("the northbound is not initialized (svcctl init)")
        return
    numbers = (f"{name} {root.find(name)}" for name in ("nb_cfg", "sb_cfg", "hv_cfg"))
    context.lines.append(", ".join(numbers))
    context.lines += _find_delays(context, root)
    options = root.datum("options")
    assert isinstance(options, dict)
    problems = find_problems({str(key): str(value) for key, value in options.items()})
    context.lines += [f"error: SVC_Global: {each}" for each in problems]
    for table, column in (("VPN_Service", "status"), ("Service_Container", "status_code")):
        for row in _sorted(context, table):
            if row.text(column) == "error":
                context.lines.append(f"error: {_name(row)}: {row.text('status_message')}")


def _describe_northd(rows: list[Json], led: bool) -> str:
    """Returns which svc-northd is active, as it has said itself; 'led': one holds the lock."""
    if not rows or not led:
        last = "".join(f"; the last was on {quote(row['hostname'])}" for row in rows)
        stale = ", and nothing that is told here is of this moment" if rows else ""
        return f"svc-northd: none is active{last}{stale}"
    [row] = rows
    if not row["since"]:
        return f"svc-northd: not active yet on {quote(row['hostname'])}, pid {row['pid']}"
    since = format_time(row["since"])
    return f"svc-northd: active on {quote(row['hostname'])}, pid {row['pid']}, since {since}"


def _find_delays(context: Context, root: Row) -> list[str]:
    """Returns sentences on who has not answered to what the operator wrote."""
    nb_cfg, sb_cfg, hv_cfg = (root.find(name) for name in ("nb_cfg", "sb_cfg", "hv_cfg"))
    if sb_cfg < nb_cfg:
        return [f"svc-northd has not answered: nb_cfg {nb_cfg}, sb_cfg {sb_cfg}"]
    found = []
    if hv_cfg < sb_cfg:
        found.append(f"not all chassis have answered: sb_cfg {sb_cfg}, hv_cfg {hv_cfg}")
    new = [row.text("name") for row in _sorted(context, "VPN_Service") if not row.text("status")]
    if new:
        found.append(f"svc-northd has not answered: VPN service {quote(new[0])} has no status yet")
    return found


def _show_service(context: Context, row: Row) -> None:
    group = context.replica.rows("Container_Group").get(row.text("group"))
    context.lines.append(f"vpn {_name(row)} (router {row.text('router')})")
    _add_facts(
        context,
        "    ",
        ("address mode", row.text("address_mode")),
        ("external", ", ".join(row.strings("external_ips"))),
        ("local", ", ".join(row.strings("local_subnets"))),
        ("group", group.text("name") if group else ""),
        ("enabled", "false" if row.find("enabled") is False else ""),
        ("status", _join(row.text("status"), row.text("status_message"))),
    )
    rows = context.replica.rows("IPsec_Connection")
    members = [rows[uuid] for uuid in row.strings("connections") if uuid in rows]
    for member in sorted(members, key=lambda each: each.text("name")):
        context.lines.append(f"    connection {_name(member)}")
        _add_facts(
            context,
            "        ",
            ("peer", member.text("peer_address")),
            ("peer id", member.text("peer_id")),
            ("local id", member.text("local_id")),
            ("peer subnets", ", ".join(member.strings("peer_subnets"))),
            ("enabled", "false" if member.find("enabled") is False else ""),
            ("status", _join(member.text("status"), member.text("status_message"))),
        )


def _show_container(context: Context, row: Row) -> None:
    context.lines.append(f"container {row.text('name')} ({row.text('service_type')})")
    _add_facts(
        context,
        "    ",
        ("chassis", row.text("chassis")),
        ("requested chassis", row.text("requested_chassis")),
        ("port", row.text("port")),
        ("status", _join(row.text("status_code"), row.text("status_message"))),
    )


def _name(row: Row) -> str:
    return row.text("name") or '""'


def _add_facts(context: Context, indent: str, *facts: tuple[str, str]) -> None:
    context.lines.extend(f"{indent}{name}: {value}" for name, value in facts if value)


def _join(status_text: str, reason: str) -> str:
    return f"{status_text} ({reason})" if status_text and reason else status_text or reason


def _count(context: Context, table: str, column: str, good: str) -> str:
    rows = context.replica.rows(table).values()
    return f"{sum(1 for row in rows if row.text(column) == good)} of {len(rows)} {good}"


def _sorted(context: Context, table: str) -> list[Row]:
    return sorted(context.replica.rows(table).values(), key=lambda row: row.text("name"))
