"""What would be wrong with a row that is to be written beside those that are there.

svc-northd would say the same.  A new row comes last among its siblings, so that
it and not one that was there first is the one that has the problem; what does
not work now is in nobody's way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from ....lib.addresses import quote
from ....lib.router import Router, name_problem
from ...api.commands import Datum, Run, TableRow
from ...api.make_row import make_row
from .. import router_rules, rules
from ..contention import Contender, Contention, make_contender
from ..rows import IPsecConnection, VPNService
from .overview import SERVICE, members_of, sort_by_name

_SHARED = ("ipsec", "siblings")
_CONTENDS = (
    *("name", "peer_address", "peer_subnets", "psk", "auth", "peer_id", "local_id", "enabled"),
    *("dpd_interval", "dpd_timeout", "mtu"),
)
_SERVICE_CONTENDS = ("router", "external_ips", "local_subnets", "enabled")

Signature = tuple[Datum, ...]


def find_service_problem(run: Run, columns: Mapping[str, Datum]) -> str | None:
    """Returns what is wrong between a new service and its router, or other services."""
    service = make_row(VPNService, columns)
    router = None
    if not run.no_check:
        found = run.find_routers(service.router)
        problem = name_problem(service.router, len(found))
        if problem is None:
            router = found[0]
            problem = router_rules.service_problem(service, router)
        if problem is not None:
            return problem
    return _find_rival_problem(run, service, make_resolver(run, router))


def find_connection_problem(
    run: Run, service: TableRow, row: TableRow | None, columns: Mapping[str, Datum]
) -> str | None:
    """Returns what is wrong with a connection beside what else is on its router.

    'row' is the one that is about to change, None for a new one.
    """
    home = make_row(VPNService, service.columns(), service.uuid)
    connection = make_row(IPsecConnection, columns)
    router = _find_router(run, service.text("router"))
    problem = router_rules.connection_problem(connection, router) if router else None
    if problem is not None:
        return problem
    contention = _gather(run, service, row, make_resolver(run, router))
    return contention.find_problem(make_contender(home, connection))


def make_resolver(run: Run, router: Router | None) -> Callable[[str], str]:
    """Returns what tells, of texts that name a router, which ones mean 'router'."""
    if router is None:
        return str
    uuid = str(router.uuid)
    # A router may be called as another one's UUID is, and then that one is meant.
    named = [each.uuid for each in run.find_routers(router.name)]
    name = router.name if named == [router.uuid] else uuid
    return lambda text: uuid if text == name or text.lower() == uuid else text


def _find_rival_problem(
    run: Run, service: VPNService, find_router: Callable[[str], str]
) -> str | None:
    """Returns that a service on another router has the external address, if one has."""
    router = find_router(service.router)
    addresses = {rules.canonical_address(text): text for text in service.external_ips}
    for row in sort_by_name(run, SERVICE):
        shared = {rules.canonical_address(text) for text in row.strings("external_ips")}
        shared &= addresses.keys()
        if not shared or rules.service_problem(make_row(VPNService, row.columns(), row.uuid)):
            continue
        if find_router(row.text("router")) == router:
            return None
        return (
            f"external address {addresses[shared.pop()]} is already used by VPN service"
            f" {quote(row.text('name'))} on another router"
        )
    return None


def _find_router(run: Run, text: str) -> Router | None:
    """Returns the router of a service; where it is not clear the service's own row says so."""
    if run.no_check:
        return None
    found = run.find_routers(text)
    return found[0] if len(found) == 1 else None


# -- the connections that the same container serves --------------------------


class _Gathered:
    """The connections of a router as they were a command ago; 'good' are those that can be."""

    __slots__ = ("contention", "good", "signatures")

    def __init__(self) -> None:
        self.contention = Contention()
        self.good: list[Contender] = []
        self.signatures: dict[str, Signature] = {}

    def add(self, contenders: Iterable[Contender]) -> None:
        """Adds those that can stand beside the others."""
        self.good += [each for each in contenders if self.contention.add(each) is None]

    def without(self, uuid: str) -> Contention:
        """Returns the good ones but for one of them."""
        contention = Contention()
        for contender in self.good:
            if contender.uuid != uuid:
                contention.keep(contender)
        return contention


def _gather(
    run: Run, service: TableRow, left_out: TableRow | None, find_router: Callable[[str], str]
) -> Contention:
    """Returns the other good connections that the same container serves.

    Those that a command before has gathered are not looked at again where only
    new ones came.
    """
    router = find_router(service.text("router"))
    members = {
        row.uuid: (home, row)
        for home in run.rows(SERVICE).values()
        if find_router(home.text("router")) == router
        for row in members_of(run, home)
    }
    signatures = {uuid: _sign(*member) for uuid, member in members.items()}
    gathered = run.shared.get((*_SHARED, router))
    if gathered is None or not _is_part(gathered.signatures, signatures):
        gathered = _Gathered()
    new = [members[uuid] for uuid in signatures if uuid not in gathered.signatures]
    gathered.add(_read(new))
    gathered.signatures = signatures
    run.shared[(*_SHARED, router)] = gathered
    found: Contention = gathered.without(left_out.uuid) if left_out else gathered.contention
    return found


def _is_part(few: Mapping[str, Signature], many: Mapping[str, Signature]) -> bool:
    return all(many.get(uuid) == signature for uuid, signature in few.items())


def _sign(home: TableRow, row: TableRow) -> Signature:
    """Returns what the problems of a connection are a function of."""
    mine = (row.datum(column) for column in _CONTENDS)
    return (*mine, *(home.datum(column) for column in _SERVICE_CONTENDS))


def _read(members: list[tuple[TableRow, TableRow]]) -> Iterator[Contender]:
    """Yields the connections that are good by themselves, the first by name and UUID first."""
    homes: dict[str, VPNService] = {}
    for home_row, row in sorted(members, key=lambda each: (each[1].text("name"), each[1].uuid)):
        home = homes.get(home_row.uuid)
        if home is None:
            home = homes[home_row.uuid] = make_row(VPNService, home_row.columns(), home_row.uuid)
        connection = make_row(IPsecConnection, row.columns(), row.uuid)
        if rules.connection_problem(connection, home) is None:
            yield make_contender(home, connection)
