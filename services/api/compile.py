"""The compile half of a service type: northbound rows to containers, and their status back.

Pure: everything is a function of what is read.  A type never writes a row of
OVN; it says what its container needs (ports, addresses, redirects, routes) and
the core makes the rows, so that the fence, the mark, the order and the
make-before-break are the same for every type.

A row that cannot be served harms only itself: compile() leaves it out, or keeps
what its container was last given for it (LAST), and says why in
Compiled.problems.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from ...lib import nb
from ...lib.router import Router
from ...lib.rows import Row
from . import FIRST_INTERFACE
from .item import Item
from .node import AnyNode, Datum, Index, Read

Unit = UUID | str
"""What makes one container: a UUID that it is named after, or the name of a Service_Container."""


# -- what a container needs ------------------------------------------------


@dataclass(frozen=True, slots=True)
class Transit:
    """A port on a link of its own with a router (northd/attach/transit.py)."""

    router: UUID


Attachment = Transit
"""Where a port of a container may be; northd/attach has a file for each."""


@dataclass(frozen=True, slots=True)
class PortSpec:
    """A port of a container, 'interface' inside its namespace; the first is svc0."""

    attachment: Attachment
    interface: str = FIRST_INTERFACE


@dataclass(frozen=True, slots=True)
class AddressSpec:
    """An address outside by which the container is reached, in an address mode (routed)."""

    router: UUID
    address: str
    mode: str = "routed"


@dataclass(frozen=True, slots=True)
class RouteSpec:
    """A prefix that the router must find, since it looks at redirects after its routes only.

    Where the router has no route of its own that leads on, it gets one to the container.
    """

    router: UUID
    prefix: str


# The places of redirects among each other, from the one that is looked at first.
FIRST = 0
REROUTE = 1
LAST_RESORT = 2

REROUTES = "reroute"
DROPS = "drop"
ALLOWS = "allow"

# Where traffic came from, or is about to go: a gateway port of the router, or the container.
OUTSIDE = "outside"
INSIDE = "inside"


@dataclass(frozen=True, slots=True)
class RedirectSpec:
    """Traffic on 'router' that the container must get (REROUTES), or that is dropped (DROPS).

    What it ALLOWS goes where the router's routes lead it, whatever policies of
    others say.

    'subject' is the UUID of the row that it is for, 'kind' tells apart those of
    one subject.  'sources' and 'destinations' are subnets of one IP version;
    'protocol' is a number of IANA, 'ports' are destination ports.  With 'origins'
    only traffic that came from there, with 'exits' only what is about to go there.
    Traffic is rerouted, and allowed, once the container is ready; drops are there
    from the moment that they are said.
    """

    subject: str
    kind: str
    router: UUID
    action: str
    ip_version: int
    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    level: int = REROUTE
    origins: tuple[str, ...] = ()
    exits: tuple[str, ...] = ()
    protocol: int | None = None
    ports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret that the chassis of the container needs; never printed."""

    name: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """A container, before it has a place.

    'configuration' is what the host half gets, text of the type's own format.
    'kept_secrets' are names of secrets that stay as they are sealed already.
    'serves' are the northbound rows that it works for.  'needs' are facts that a
    chassis must tell in Chassis:other_config.  'remotes' are addresses outside with
    which it speaks through a router: no other container on that router is given one.
    """

    ports: tuple[PortSpec, ...]
    configuration: str
    secrets: tuple[Secret, ...] = ()
    kept_secrets: tuple[str, ...] = ()
    group: UUID | None = None
    serves: tuple[UUID, ...] = ()
    addresses: tuple[AddressSpec, ...] = ()
    routes: tuple[RouteSpec, ...] = ()
    needs: tuple[tuple[str, str], ...] = ()
    remotes: tuple[AddressSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class Compiled:
    """What a unit comes to; without a 'container' none is to run.

    'problems' are sentences by the UUID of the row that has them.
    """

    container: ContainerSpec | None = None
    redirects: tuple[RedirectSpec, ...] = ()
    problems: Mapping[UUID, str] = field(default_factory=dict)


# -- what a type may read beside its own tables -----------------------------


@dataclass(frozen=True, slots=True)
class Last:
    """What a container was last given: the last good configuration."""

    service_type: str
    configuration: str


ROUTER: Datum[UUID, Router] = Datum("router")
ROUTERS_BY_NAME: Datum[str, AbstractSet[UUID]] = Datum("routers_by_name")
# Routers that have an address of their own, or of a NAT rule, on a gateway port's network.
ROUTERS_BY_ADDRESS: Datum[str, AbstractSet[UUID]] = Datum("routers_by_address")
# Containers that have the address outside, as OVN_Northbound has it at this moment.
ADDRESS_HOLDERS: Datum[str, AbstractSet[str]] = Datum("address_holders")
# Rows of Service_Container that the operator made, of the type's own name, by name.
OPERATOR_CONTAINER: Datum[str, nb.ServiceContainer] = Datum("operator_container")
# By the name of a container.
LAST: Datum[str, Last] = Datum("last")
# Northbound rows that a container has served of late, by its name.
SERVED: Datum[str, tuple[UUID, ...]] = Datum("served")
# Names of containers by a northbound row that they serve.
CONTAINERS_BY_SERVED: Datum[UUID, AbstractSet[str]] = Datum("containers_by_served")

# By container: why it cannot have an address outside that its rows ask for.
ADDRESS_PROBLEM: Datum[str, str] = Datum("address_problem")

# By container: what takes traffic away on the router that is rerouted to the container, or may
# take it, in a sentence by subject of the redirect.
REDIRECT_PROBLEM: Datum[str, Mapping[str, str]] = Datum("redirect_problem")

# By container: subjects of redirects that OVN has been given and is late to compile, so that
# their traffic goes where it went before.
UNCOMPILED: Datum[str, AbstractSet[str]] = Datum("uncompiled")
NOT_COMPILED = (
    "OVN has not compiled new router policies of it; their traffic goes where it went before"
)

CORE_DATA: tuple[Datum[Any, Any], ...] = (
    ROUTER,
    ROUTERS_BY_NAME,
    ROUTERS_BY_ADDRESS,
    ADDRESS_HOLDERS,
    OPERATOR_CONTAINER,
    LAST,
    SERVED,
    CONTAINERS_BY_SERVED,
)


# -- the way back ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Seen:
    """How a container is: what stands on its row, and what it reported, by subject.

    'group' is the one that counts for it.
    """

    status_code: str
    status_message: str
    chassis: str | None
    group: UUID | None = None
    items: Mapping[str, tuple[Item, ...]] = field(default_factory=dict)


# By the name of a container, once there is one; for the status nodes of a type.
SEEN: Datum[str, Seen] = Datum("seen")


@dataclass(frozen=True, slots=True)
class RowStatus:
    """Status columns of one row of the type's own tables.

    A change of column 'status' is an event, and so is one of 'status_message'; 'name' is
    what the row is called there.  Without a name nothing is told of it.  The core writes
    to 'since', where the row class has it, when 'status' became what it is.  A message is
    'passing' while it says only what is waited for, such as the first answer of a peer:
    the first cause that follows takes its place, and it takes that of none.
    """

    row_class: type[Row]
    uuid: UUID
    columns: Mapping[str, Any]
    name: str = ""
    passing: bool = False


@dataclass(frozen=True, slots=True)
class ConfigurationKey:
    """A key of Service_Container:configuration, or of 'secret', and what it may hold.

    'find_problem' returns in a sentence why a value cannot be, None if it can; a
    key that 'is_router' has the name or UUID of a router of OVN.  By these svcctl
    refuses what compile() would.  It asks neither of a secret, nor of a value that
    is empty, which stands for none.
    """

    name: str
    description: str
    required: bool = False
    secret: bool = False
    find_problem: Callable[[str], str | None] | None = None
    is_router: bool = False


def make_container_name(prefix: str, unit: Unit) -> str:
    """Returns the name of the container of 'unit': it is an interface name too."""
    return unit if isinstance(unit, str) else f"{prefix}-{unit.hex[:11]}"


class CompileHalf(Protocol):
    """What svc-northd asks of a service type; one object, without state.

    What a type computes is nodes of its own and compile().  'nodes' come first
    and may read its tables, CORE_DATA and BALANCER_DATA (balancers.py);
    'status_nodes' come last and may read 'compiled', ADDRESS_PROBLEM,
    REDIRECT_PROBLEM, UNCOMPILED and SEEN besides.
    """

    tables: Mapping[type[Row], Datum[UUID, Any]]
    """The northbound tables that it reads, and the datum that each is."""

    nodes: Sequence[AnyNode]

    units: Index[Any, Any, Any] | None
    """What makes each unit, by its UUID; a unit is there while it has one.  One of 'nodes'.

    None for a type whose units are the operator's own Service_Container rows.
    """

    prefix: str
    """Of the names of containers of units that have a UUID; up to three lower-case letters."""

    inputs: Sequence[Datum[Any, Any]]
    """What compile() and find_secrets() read, CORE_DATA aside."""

    compiled: Datum[Any, Compiled]
    """What compile() returns, by unit."""

    held: Datum[UUID, bool] | None
    """Subjects whose drops stay as they are, since what they should be is not known."""

    status_nodes: Sequence[AnyNode]

    statuses: Datum[Any, tuple[RowStatus, ...]] | None
    """The status columns of its rows, by any key."""

    def compile(self, read: Read, unit: Any) -> Compiled:
        """Returns what 'unit' comes to.

        Raises ConfigError if it cannot be served: its container goes on as it
        was last given, and the sentence stands on its row.
        """

    def find_secrets(self, read: Read, unit: Any, names: Iterable[str]) -> Mapping[str, str]:
        """Returns the secrets of 'unit' of these names, for a container that goes on as it was."""

    def describe(self) -> Sequence[ConfigurationKey]:
        """Returns the keys of Service_Container:configuration that it takes."""
