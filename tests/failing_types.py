"""Service types that are not ours, which fail in the parts that a test names.

One has a container for each row that the operator made, the other one for each
router that is named for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any
from uuid import UUID, uuid4

from ..lib.router import Router
from ..services.api.compile import (
    OPERATOR_CONTAINER,
    ROUTER,
    SEEN,
    AddressSpec,
    Compiled,
    ConfigurationKey,
    ContainerSpec,
    PortSpec,
    RowStatus,
    Secret,
    Transit,
)
from ..services.api.node import AnyNode, Datum, Index, Node, Read
from ..services.api.routers import find_routers


class Failing:
    """What a type has in common with another that fails in the parts named in 'failing'."""

    tables: Mapping[Any, Any] = {}
    nodes: Sequence[AnyNode] = ()
    units: Index[Any, Any, Any] | None = None
    prefix = "own"
    held: Datum[UUID, bool] | None = None
    statuses: Datum[Any, tuple[RowStatus, ...]] | None
    inputs: Sequence[Datum[Any, Any]] = ()

    def __init__(self, name: str) -> None:
        self.failing: set[str] = set()
        self.compiled: Datum[Any, Compiled] = Datum(f"{name} compiled")
        told: Datum[str, tuple[RowStatus, ...]] = Datum(f"{name} status")
        self.statuses = told
        self.status_nodes: Sequence[AnyNode] = (Node(told, self.tell, (SEEN,)),)

    def fail_at(self, part: str) -> None:
        if part in self.failing:
            raise RuntimeError(f"{part} fails")

    def tell(self, _read: Read, _name: str) -> tuple[RowStatus, ...]:
        self.fail_at("status node")
        return ()

    def describe(self) -> Sequence[ConfigurationKey]:
        self.fail_at("describe")
        return ()


class OwnHalf(Failing):
    """A container for each Service_Container row; its configuration is the greeting.

    What it wants of addresses outside, in words, is under 'address'.
    """

    def __init__(self, name: str = "own") -> None:
        super().__init__(name)
        self.count: Iterator[int] | None = None

    def compile(self, read: Read, unit: str) -> Compiled:
        self.fail_at("compile")
        row = read(OPERATOR_CONTAINER, unit)
        if row is None:
            return Compiled()
        (router,) = find_routers(read, row.configuration["router"])
        greeting = row.configuration.get("greeting", "hello")
        if self.count is not None:
            greeting += f" {next(self.count)}"
        secrets = tuple(Secret(name, value) for name, value in sorted(row.secret.items()))
        given = row.configuration.get("address", "").split()
        addresses = tuple(AddressSpec(router, address) for address in given)
        ports = (PortSpec(Transit(router)),)
        return Compiled(ContainerSpec(ports, greeting, secrets, addresses=addresses))

    def find_secrets(self, read: Read, unit: str, names: Iterable[str]) -> Mapping[str, str]:
        self.fail_at("find_secrets")
        row = read(OPERATOR_CONTAINER, unit)
        secrets = row.secret if row is not None else {}
        return {name: secrets[name] for name in names if name in secrets}


class RoutedHalf(Failing):
    """A container for each router whose name begins with 'routed'."""

    prefix = "rtd"

    def __init__(self) -> None:
        super().__init__("routed")
        self.found: Datum[UUID, Router] = Datum("routed found")
        of: Datum[UUID, AbstractSet[UUID]] = Datum("routed units")
        self.units = Index(of, self.found, self.find_keys)
        self.nodes = (Node(self.found, self.find, (ROUTER,)), self.units)

    def find(self, read: Read, uuid: UUID) -> Router | None:
        self.fail_at("node")
        router = read(ROUTER, uuid)
        return router if router is not None and router.name.startswith("routed") else None

    def find_keys(self, uuid: UUID, _router: Router) -> Iterable[UUID]:
        self.fail_at("find_keys")
        return (uuid, uuid4()) if "impure find_keys" in self.failing else (uuid,)

    def compile(self, _read: Read, unit: UUID) -> Compiled:
        self.fail_at("compile of a router")
        return Compiled(ContainerSpec((PortSpec(Transit(unit)),), "routed"))

    def find_secrets(self, _read: Read, _unit: UUID, _names: Iterable[str]) -> Mapping[str, str]:
        return {}
