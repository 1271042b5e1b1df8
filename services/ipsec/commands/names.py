"""Which connection the words of a command mean."""

from __future__ import annotations

from collections.abc import Iterator

from ....lib.addresses import quote
from ....lib.errors import UsageError
from ...api.commands import Run, TableRow
from .overview import CONNECTION, SERVICE, members_of

Found = tuple[TableRow, TableRow]
"""A service and a connection of it."""


def find_connection(run: Run) -> Found:
    """Returns what VPN CONN, VPN/CONN, or CONN alone mean; raises UsageError.

    One word may also be the UUID of a connection.
    """
    if len(run.arguments) > 1:
        return _find_in_service(run, *run.arguments[:2])
    text = run.arguments[0]
    found = {row.uuid: (service, row) for service, row in _find_all(run, text)}
    if len(found) > 1:
        several = sorted(_name(*each) for each in found.values())
        raise UsageError(f"{text}: {len(found)} connections have this name: {', '.join(several)}")
    if not found:
        raise UsageError(f"{text}: connection not found")
    return next(iter(found.values()))


def _find_in_service(run: Run, vpn: str, name: str) -> Found:
    service = run.get_row(SERVICE, vpn)
    for row in members_of(run, service):
        if name in (row.text("name"), row.uuid):
            return service, row
    raise UsageError(f"{name}: connection not found in VPN service {vpn}")


def _find_all(run: Run, text: str) -> Iterator[Found]:
    named = run.find_all(CONNECTION, "name", text)
    for row in {each.uuid: each for each in (*named, *run.get_all(CONNECTION, [text]))}.values():
        for service in run.find_all(SERVICE, "connections", row.uuid):
            yield service, row
    # Either name may have a slash in it.
    for place in (place for place, character in enumerate(text) if character == "/"):
        for service in run.find_all(SERVICE, "name", text[:place]):
            for row in members_of(run, service):
                if row.text("name") == text[place + 1 :]:
                    yield service, row


def _name(service: TableRow, row: TableRow) -> str:
    return quote(f"{service.text('name')}/{row.text('name')}")
