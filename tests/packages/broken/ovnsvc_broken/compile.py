"""The compile half: a container on the router that its configuration names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ovnsvc.lib.errors import ConfigError
from ovnsvc.services.api.compile import (
    OPERATOR_CONTAINER,
    ROUTERS_BY_NAME,
    Compiled,
    ConfigurationKey,
    ContainerSpec,
    PortSpec,
    Secret,
    Transit,
)
from ovnsvc.services.api.node import Datum, Read

from . import fail_at


class BrokenCompile:
    """A services.api CompileHalf."""

    tables: Mapping[Any, Any] = {}
    nodes: Sequence[Any] = ()
    units: Any = None
    prefix = "brk"
    inputs: Sequence[Any] = ()
    compiled: Datum[Any, Compiled] = Datum("broken compiled")
    held: Any = None
    status_nodes: Sequence[Any] = ()
    statuses: Any = None

    def compile(self, read: Read, unit: str) -> Compiled:
        fail_at("compile.compile")
        row = read(OPERATOR_CONTAINER, unit)
        if row is None:
            return Compiled()
        routers = sorted(read(ROUTERS_BY_NAME, row.configuration.get("router", "")) or ())
        if len(routers) != 1:
            raise ConfigError("there is not one router of that name")
        secrets = tuple(Secret(name, row.secret[name]) for name in sorted(row.secret))
        ports = (PortSpec(Transit(routers[0])),)
        return Compiled(ContainerSpec(ports, "{}", secrets, group=row.group))

    def find_secrets(self, read: Read, unit: str, names: Iterable[str]) -> Mapping[str, str]:
        fail_at("compile.find_secrets")
        row = read(OPERATOR_CONTAINER, unit)
        secrets = row.secret if row is not None else {}
        return {name: secrets[name] for name in names if name in secrets}

    def describe(self) -> Sequence[ConfigurationKey]:
        fail_at("compile.describe")
        return (ConfigurationKey("router", "name of the router", True),)


HALF = BrokenCompile()
