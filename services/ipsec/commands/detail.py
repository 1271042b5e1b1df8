"""vpn-show and conn-show: all that is known of one service, or of one connection."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from ....lib.errors import UsageError
from ....lib.moment import format_past
from ...api.commands import Run, TableRow
from .. import rules
from ..export import words
from ..rows import IKEPolicy, IPsecPolicy
from .export import make_side
from .meaning import get_connection, get_services
from .overview import find_since, members_of
from .policy import find_policies
from .reported import Reported, indent, list_facts, read_reported


def show_service(run: Run) -> None:
    """vpn-show VPN: the service, its container, and each connection with its tunnel.

    VPN may be whatever means one: name, UUID, external address, that of a peer,
    a router, a container, a chassis.
    """
    run.refuse_format()
    run.warn_if_stale()
    now_ms = int(time.time() * 1000)
    found = [(row, _find_container(run, row)) for row in get_services(run, run.arguments[0])]
    reported = _read_reported(run, [container for _, container in found], now_ms)
    for row, container in found:
        known = reported[_name_of(container)]
        run.lines += [
            f"vpn {row.text('name')}",
            *indent(_describe_service(run, row, now_ms)),
            *indent(_describe_container(run, container, known, now_ms)),
        ]
        for member in sorted(members_of(run, row), key=lambda each: each.text("name")):
            lines = _describe_connection(member, now_ms)
            lines += _describe_tunnel(member, known, now_ms)
            run.lines += indent([f"connection {member.text('name')}", *indent(lines)])


def show_connection(run: Run) -> None:
    """conn-show [VPN] CONN: the connection, its tunnel, and what the peer must have."""
    run.refuse_format()
    run.warn_if_stale()
    service, row = get_connection(run, run.arguments)
    now_ms = int(time.time() * 1000)
    container = _find_container(run, service)
    reported = _read_reported(run, [container], now_ms)[_name_of(container)]
    run.lines += [
        f"connection {service.text('name')}/{row.text('name')}",
        *indent(_describe_connection(row, now_ms)),
        *indent(_list_settings(run, row)),
        *indent([f"vpn {service.text('name')}", *indent(_describe_service(run, service, now_ms))]),
        *indent(_describe_container(run, container, reported, now_ms)),
        *indent(_describe_tunnel(row, reported, now_ms)),
        *indent(_describe_peer(run, service, row)),
    ]


def _find_container(run: Run, service: TableRow) -> TableRow | None:
    found = run.find_all("Service_Container", "serves", service.uuid)
    return min(found, key=lambda each: each.text("name"), default=None)


def _read_reported(
    run: Run, containers: Sequence[TableRow | None], now_ms: int
) -> Mapping[str, Reported]:
    """Returns what is reported by the name of the container, "" for none."""
    names = sorted({_name_of(each) for each in containers if each is not None})
    return {"": Reported(), **read_reported(run, names, now_ms)}


def _name_of(container: TableRow | None) -> str:
    return container.text("name") if container is not None else ""


def _describe_service(run: Run, row: TableRow, now_ms: int) -> list[str]:
    group = run.get("Container_Group", row.text("group"))
    return list_facts(
        ("router", row.text("router")),
        ("address mode", row.text("address_mode") or f"{rules.DEFAULT_ADDRESS_MODE} (default)"),
        ("external address", ", ".join(row.strings("external_ips"))),
        ("local subnets", ", ".join(row.strings("local_subnets"))),
        ("group", group.text("name") if group else ""),
        *_list_status(row, now_ms),
    )


def _describe_connection(row: TableRow, now_ms: int) -> list[str]:
    return list_facts(
        ("peer address", row.text("peer_address")),
        ("peer subnets", ", ".join(row.strings("peer_subnets"))),
        ("peer id", row.text("peer_id")),
        ("local id", row.text("local_id")),
        *_list_status(row, now_ms),
    )


def _list_status(row: TableRow, now_ms: int) -> list[tuple[str, str]]:
    return [
        ("enabled", "false" if row.find("enabled") is False else ""),
        ("status", row.text("status") or "none yet"),
        ("since", format_past(find_since(row), now_ms)),
        ("reason", row.text("status_message")),
    ]


def _list_settings(run: Run, row: TableRow) -> list[str]:
    """Returns what of a connection is set by its columns and policies, but for what peers share."""
    ike, ipsec = find_policies(run, row.columns())
    mtu = row.find("mtu")
    return list_facts(
        ("IKE policy", _name_policy(ike)),
        ("IPsec policy", _name_policy(ipsec)),
        ("initiator", row.text("initiator") or "bi-directional (default)"),
        ("dpd action", row.text("dpd_action") or f"{rules.DEFAULT_DPD_ACTION} (default)"),
        ("mtu", str(mtu) if mtu is not None else ""),
    )


def _name_policy(policy: IKEPolicy | IPsecPolicy | None) -> str:
    return policy.name if policy is not None else "none (defaults)"


def _describe_container(
    run: Run, container: TableRow | None, reported: Reported, now_ms: int
) -> list[str]:
    if container is None:
        return ["container: none"]
    wish = run.find("Container_Wish", "name", container.text("name"))
    facts = list_facts(
        ("chassis", _describe_chassis(container, reported)),
        ("pinned to", wish.text("requested_chassis") if wish is not None else ""),
        ("standbys", ", ".join(reported.standbys)),
        ("status", container.text("status_code")),
        ("since", format_past(container.find("since"), now_ms)),
        ("reason", container.text("status_message")),
    )
    return [f"container {container.text('name')}", *indent(facts)]


def _describe_chassis(container: TableRow, reported: Reported) -> str:
    """Returns where a container is bound by now, or was when svc-northd last wrote that."""
    name = reported.chassis or container.text("chassis") or "none"
    return f"{name}, {reported.lost}" if reported.lost else name


def _describe_tunnel(row: TableRow, reported: Reported, now_ms: int) -> list[str]:
    if row.text("status") == "disabled":
        return []
    return reported.describe_tunnel(row.uuid, now_ms)


def _describe_peer(run: Run, service: TableRow, row: TableRow) -> list[str]:
    try:
        side = make_side(run, service, row)
    except UsageError as error:
        return [f"peer must have: not known: {error}"]
    child, *others = side.children
    shared = ", ".join(each.name for each in others)
    return [
        "peer must have",
        *indent(words.list_facts(side)),
        *indent(words.list_child_facts(side, child)),
        *indent(list_facts(("in the same IKE SA", shared))),
    ]
