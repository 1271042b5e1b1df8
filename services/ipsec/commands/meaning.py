"""Which services and connections a word means that an operator has in his hand.

That may be the name, the UUID or its beginning of a service or of a connection, a connection as
VPN/CONN, an address of either, a router, or what runs a service: a container, or a chassis.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ....lib.addresses import canonical_address, quote
from ....lib.errors import UsageError
from ...api.commands import Meaning, Run, TableRow
from .overview import CONNECTION, SERVICE, members_of

Meant = tuple[TableRow, TableRow | None]
"""A service, and the connection of it that is meant, None for all of them."""

_MOST_NAMED = 5


def find_meant(run: Run, text: str) -> list[Meant]:
    """Returns what 'text' means, in the order of names; [] if nothing.

    A service of that name is it alone, whatever else is called so.
    """
    service = run.find_row(SERVICE, text)
    if service is not None:
        return [(service, None)]
    found: dict[tuple[str, str], Meant] = {}
    for find in (_find_by_other_words, _find_by_containers, _find_by_ovn):
        if text and not found:
            found = {_identify(each): each for each in find(run, text)}
    return sorted(found.values(), key=_rank)


def find_services(run: Run, text: str) -> list[TableRow]:
    """Returns the services among that, each once."""
    found = {service.uuid: service for service, _ in find_meant(run, text)}
    return list(found.values())


def is_place(run: Run, text: str) -> bool:
    """Returns whether 'text' is a container or a chassis, on which there may be nothing of ours."""
    if not text:
        return False
    for table in ("Service_Container", "Chassis"):
        if run.find(table, "name", text) is not None:
            return True
    found = run.read_southbound(("Chassis", "name", text), ("Chassis", "hostname", text))
    return not isinstance(found, str) and any(found)


def get_services(run: Run, text: str) -> list[TableRow]:
    """As find_services(); raises UsageError if there is none."""
    found = find_services(run, text)
    if not found:
        raise UsageError(f"{text}: VPN service not found")
    return found


def get_connection(run: Run, words: Sequence[str]) -> tuple[TableRow, TableRow]:
    """Returns the service and the connection that VPN CONN mean, or one word; raises UsageError.

    A service that has one connection only means that, too.
    """
    found = dict(_find_connections(run, words))
    if len(found) == 1:
        return next(iter(found.values()))
    if not found:
        where = f" in VPN service {words[0]}" if len(words) > 1 else ""
        raise UsageError(f"{words[-1]}: connection not found{where}")
    raise _make_ambiguous(words[-1], list(found.values()))


def find_named(run: Run, text: str) -> tuple[TableRow, TableRow] | None:
    """Returns the connection that 'text' names, CONN or VPN/CONN, or by its UUID, to change it.

    Raises UsageError if it names several: what changes something takes no other word.
    """
    found = {
        row.uuid: (service, row)
        for service, row in _find_by_other_words(run, text)
        if row is not None and _is_named(service, row, text)
    }
    if len(found) > 1:
        raise _make_ambiguous(text, list(found.values()))
    return next(iter(found.values()), None)


def _is_named(service: TableRow, row: TableRow, text: str) -> bool:
    name = row.text("name")
    return text in (name, f"{service.text('name')}/{name}") or row.uuid.startswith(text.lower())


def _make_ambiguous(text: str, found: Sequence[tuple[TableRow, TableRow]]) -> UsageError:
    """Returns that 'text' may mean any of several connections."""
    names = [f"{home.text('name')}/{row.text('name')}" for home, row in found]
    shown = [f"connection {quote(name)}" for name in sorted(names)[:_MOST_NAMED]]
    shown += [f"and {len(names) - len(shown)} more"] if len(names) > len(shown) else []
    return UsageError(f"{quote(text)} may mean {', '.join(shown)}; name one of them")


def _find_connections(
    run: Run, words: Sequence[str]
) -> Iterator[tuple[str, tuple[TableRow, TableRow]]]:
    if len(words) > 1:
        for service in get_services(run, words[0]):
            for row in members_of(run, service):
                if words[1] in (row.text("name"), row.uuid):
                    yield row.uuid, (service, row)
        return
    for service, connection in find_meant(run, words[0]):
        for row in [connection] if connection is not None else members_of(run, service):
            yield row.uuid, (service, row)


def find_meanings(run: Run, text: str) -> Sequence[Meaning]:
    """Returns what 'text' means here, in words, and the UUIDs of the services concerned."""
    meanings = []
    for service, connection in find_meant(run, text):
        name = service.text("name")
        if connection is None:
            meanings.append(Meaning("VPN service", name, (service.uuid,)))
        else:
            full = f"{name}/{connection.text('name')}"
            meanings.append(Meaning("connection", full, (service.uuid,)))
    return meanings


def _find_by_other_words(run: Run, text: str) -> Iterator[Meant]:
    for place in (place for place, each in enumerate(text) if each == "/"):
        # Either name may have a slash in it.
        service = run.find(SERVICE, "name", text[:place])
        if service is None:
            continue
        for row in members_of(run, service):
            if row.text("name") == text[place + 1 :]:
                yield service, row
    connection = run.find_row(CONNECTION, text) if not _is_shared(run, text) else None
    named = [connection] if connection is not None else run.find_all(CONNECTION, "name", text)
    yield from _add_services(run, named)
    address = canonical_address(text)
    yield from _add_services(run, run.find_all(CONNECTION, "peer_address", address))
    for column, value in (("external_ips", address), ("router", text)):
        for service in run.find_all(SERVICE, column, value):
            yield service, None


def _is_shared(run: Run, text: str) -> bool:
    """Returns whether several connections have this name, as those of several services may."""
    return len(run.find_all(CONNECTION, "name", text)) > 1


def _add_services(run: Run, connections: Iterable[TableRow]) -> Iterator[Meant]:
    rows = {row.uuid: row for row in connections}
    for service in run.find_all(SERVICE, "connections", *rows):
        for uuid in service.strings("connections"):
            if uuid in rows:
                yield service, rows[uuid]


def _find_by_ovn(run: Run, text: str) -> Iterator[Meant]:
    """Returns the services of a router that they call otherwise, by its UUID or by its name."""
    if run.no_check:
        return
    try:
        routers = run.find_routers(text)
    except UsageError:  # what OVN cannot tell at this moment is no reason to find nothing
        return
    for router in routers:
        for service in run.find_all(SERVICE, "router", router.name, str(router.uuid)):
            yield service, None


def _find_by_containers(run: Run, text: str) -> Iterator[Meant]:
    for service in run.get_all(SERVICE, run.find_units(text)):
        yield service, None


def _identify(meant: Meant) -> tuple[str, str]:
    service, connection = meant
    return service.uuid, connection.uuid if connection is not None else ""


def _rank(meant: Meant) -> tuple[str, str]:
    service, connection = meant
    return service.text("name"), connection.text("name") if connection is not None else ""
