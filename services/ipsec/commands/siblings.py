"""What would be wrong with a row that is to be written beside those that are there.

svc-northd would say the same.  A new row comes last among its siblings, so that
it and not one that was there first is the one that has the problem; what does
not work now is in nobody's way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from ....lib.addresses import canonical_address, quote
from ....lib.router import Router, address_warning, name_problem
from ...api.commands import Datum, Run, TableRow
from ...api.make_row import make_row
from .. import router_rules, rules
from ..contention import Contender, Contention, make_contender
from ..rows import IKEPolicy, IPsecConnection, IPsecPolicy, VPNService
from .overview import SERVICE, members_of
from .policy import find_policies, find_policy_rows

_SHARED = ("ipsec", "siblings")
_SERVICE_CONTENDS = ("router", "external_ips", "local_subnets", "enabled")

Signature = tuple[int, tuple[Datum, ...], tuple[int, ...]]
"""What changes when the problems of a connection may change."""

Policies = tuple[IKEPolicy | None, IPsecPolicy | None]
Member = tuple[TableRow, TableRow, Callable[[], Policies]]
"""A service, a connection of it, and what finds its policies."""


def find_service_problem(run: Run, columns: Mapping[str, Datum]) -> str | None:
    """Returns what is wrong between a new service and its router, or other services."""
    service = make_row(VPNService, columns)
    router = None
    if not run.no_check:
        found = run.find_routers(service.router)
        problem = name_problem(service.router, len(found))
        if problem is None:
            router = found[0]
            problem = router_rules.service_problem(service, router) or _find_user(
                run, service, router
            )
        if problem is not None:
            return problem
    resolve = make_resolver(run, router)
    problem = _find_rival_problem(run, service, resolve) or _find_peer(run, service, router)
    if problem is None and router is not None:
        warnings = [address_warning(router, each) for each in service.external_ips]
        warnings.append(router_rules.find_detached(service, router))
        run.warnings += [f"{quote(service.name)}: {each}" for each in warnings if each is not None]
    return problem


def _find_user(run: Run, service: VPNService, router: Router) -> str | None:
    found = (run.find_address_user(router, each) for each in service.external_ips)
    return next((each for each in found if each is not None), None)


def find_connection_problem(
    run: Run, service: TableRow, row: TableRow | None, columns: Mapping[str, Datum]
) -> str | None:
    """Returns what is wrong with a connection beside what else is on its router.

    'row' is the one that is about to change, None for a new one.
    """
    home = make_home(service)
    connection = make_row(IPsecConnection, columns, row.uuid if row else "")
    router = _find_router(run, service.text("router"))
    problem = router_rules.connection_problem(connection, router) if router else None
    if problem is not None:
        return problem
    gathered = _gather(run, service, router)
    ike, _ = find_policies(run, columns)
    contender = make_contender(home, connection, ike)
    problem = gathered.find_problem(contender)
    if problem is not None and row is not None and not gathered.find_problem(contender, alone=True):
        # Those of one IKE SA are changed one after the other.
        run.warnings.append(f"{connection.name}: {problem}; change that one too")
        return None
    return problem


def make_home(service: TableRow) -> VPNService:
    """Returns a service as the rules on its connections want it, without those."""
    return make_row(VPNService, {**service.columns(), "connections": ()}, service.uuid)


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
    addresses = {canonical_address(text): text for text in service.external_ips}
    texts = sorted({*addresses, *addresses.values()})
    rivals = run.find_all(SERVICE, "external_ips", *texts)
    for row in sorted(rivals, key=lambda each: each.text("name")):
        shared = {canonical_address(text) for text in row.strings("external_ips")}
        shared &= addresses.keys()
        if not shared or rules.service_problem(make_home(row)):
            continue
        if find_router(row.text("router")) == router:
            return None
        return (
            f"external address {addresses[shared.pop()]} is already used by VPN service"
            f" {quote(row.text('name'))} on another router"
        )
    return None


def _find_peer(run: Run, service: VPNService, router: Router | None) -> str | None:
    """Returns that a connection on the same router has an external address for its peer."""
    addresses = {canonical_address(text): text for text in service.external_ips}
    on_router = _find_services(run, service.router, router)
    for row in sorted(on_router, key=lambda each: each.text("name")):
        for each in members_of(run, row):
            address = addresses.get(canonical_address(each.text("peer_address")))
            if address is not None:
                name = quote(each.text("name"))
                return f"external address {address} is the peer address of connection {name}"
    return None


def _find_services(run: Run, text: str, router: Router | None) -> list[TableRow]:
    """Returns the services on the router that 'text' names, which is 'router' if that is known."""
    find_router = make_resolver(run, router)
    texts = {text} if router is None else {text, router.name, str(router.uuid)}
    rows = run.find_all(SERVICE, "router", *sorted(texts))
    return [row for row in rows if find_router(row.text("router")) == find_router(text)]


def _find_router(run: Run, text: str) -> Router | None:
    """Returns the router of a service; where it is not clear the service's own row says so."""
    if run.no_check:
        return None
    found = run.find_routers(text)
    return found[0] if len(found) == 1 else None


# -- the connections that the same container serves --------------------------


class _Gathered:
    """The connections of a router as they were a command ago.

    'contenders' are those without a problem of their own, 'good' those of them
    that can stand beside each other.
    """

    __slots__ = ("contenders", "contention", "good", "signatures")

    def __init__(self) -> None:
        self.contenders: dict[str, Contender] = {}
        self.contention = Contention()
        self.good: dict[str, Contender] = {}
        self.signatures: dict[str, Signature] = {}

    def take(self, members: Mapping[str, Member], signatures: dict[str, Signature]) -> None:
        """Takes the connections as they are; those that are as they were are not read again."""
        changed = [uuid for uuid in members if self.signatures.get(uuid) != signatures[uuid]]
        read = {each.uuid: each for each in _read([members[uuid] for uuid in changed])}
        is_more = self.signatures.keys() <= signatures.keys()
        known = [uuid for uuid in changed if uuid in self.signatures]
        if is_more and all(self.contenders.get(uuid) == read.get(uuid) for uuid in known):
            new = [contender for uuid, contender in read.items() if uuid not in self.signatures]
        else:
            kept = {uuid: self.contenders[uuid] for uuid in members if uuid in self.contenders}
            kept = {uuid: each for uuid, each in kept.items() if uuid not in changed}
            new = _sort({**kept, **read}.values())
            self.contenders, self.contention, self.good = {}, Contention(), {}
        self._add(new)
        self.signatures = signatures

    def find_problem(self, contender: Contender, *, alone: bool = False) -> str | None:
        """Returns why a connection cannot stand beside the good ones, itself left out."""
        former = self.good.get(contender.uuid)
        if former is None:
            return self.contention.find_problem(contender, alone=alone)
        if former == contender:
            return None
        others = Contention()
        for uuid, each in self.good.items():
            if uuid != contender.uuid:
                others.keep(each)
        return others.find_problem(contender, alone=alone)

    def _add(self, contenders: Iterable[Contender]) -> None:
        for contender in contenders:
            self.contenders[contender.uuid] = contender
            if self.contention.add(contender) is None:
                self.good[contender.uuid] = contender


def _gather(run: Run, service: TableRow, router: Router | None) -> _Gathered:
    """Returns the connections that the same container serves."""
    text = service.text("router")
    members: dict[str, Member] = {}
    signatures: dict[str, Signature] = {}
    for home in _find_services(run, text, router):
        columns = tuple(home.datum(column) for column in _SERVICE_CONTENDS)
        for row in members_of(run, home):
            found = find_policy_rows(run, row.columns())
            revisions = tuple(each.revision for each in found if each is not None)
            members[row.uuid] = home, row, partial(find_policies, run, row.columns())
            signatures[row.uuid] = row.revision, columns, revisions
    key = (*_SHARED, make_resolver(run, router)(text))
    gathered: _Gathered = run.shared.setdefault(key, _Gathered())
    gathered.take(members, signatures)
    return gathered


def _read(members: Iterable[Member]) -> list[Contender]:
    """Returns the connections that are good by themselves, the first by name and UUID first."""
    homes: dict[str, VPNService] = {}
    found = []
    for home_row, row, find in members:
        home = homes.get(home_row.uuid)
        if home is None:
            home = homes[home_row.uuid] = make_home(home_row)
        connection = make_row(IPsecConnection, row.columns(), row.uuid)
        ike, ipsec = find()
        if rules.connection_problem(connection, home) or rules.policies_problem(ike, ipsec):
            continue
        found.append(make_contender(home, connection, ike))
    return _sort(found)


def _sort(contenders: Iterable[Contender]) -> list[Contender]:
    return sorted(contenders, key=lambda each: (each.name, each.uuid))
