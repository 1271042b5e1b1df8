"""The compile half: a Service_Container of type 'echo' to a container on its router."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from ovnsvc.lib.errors import ConfigError
from ovnsvc.lib.router import name_problem
from ovnsvc.lib.rows import Row
from ovnsvc.services.api.compile import (
    DROPS,
    LAST_RESORT,
    OPERATOR_CONTAINER,
    REROUTE,
    REROUTES,
    AddressSpec,
    Compiled,
    ConfigurationKey,
    ContainerSpec,
    PortSpec,
    RedirectSpec,
    RouteSpec,
    Secret,
    Transit,
)
from ovnsvc.services.api.node import AnyNode, Datum, Index, Read
from ovnsvc.services.api.routers import find_routers

from .settings import KEYS, REQUIRED, TOKEN, Settings, find_problem, parse

COMPILED: Datum[Any, Compiled] = Datum("echo compiled")

_TCP = 6
_ANYWHERE = {4: "0.0.0.0/0", 6: "::/0"}


class EchoCompile:
    """A services.api CompileHalf: the units are names of Service_Container rows."""

    tables: Mapping[type[Row], Datum[UUID, Any]] = {}
    nodes: Sequence[AnyNode] = ()
    units: Index[Any, Any, Any] | None = None
    prefix = "ech"
    inputs: Sequence[Datum[Any, Any]] = ()
    compiled = COMPILED
    held: Datum[UUID, bool] | None = None
    status_nodes: Sequence[AnyNode] = ()
    statuses: Datum[Any, Any] | None = None

    def compile(self, read: Read, unit: str) -> Compiled:
        """Returns the container; raises ConfigError."""
        row = read(OPERATOR_CONTAINER, unit)
        if row is None:
            return Compiled()
        settings = parse(row.configuration)
        token = row.secret.get(TOKEN)
        if not token:
            raise ConfigError(f"secret {TOKEN} is missing")
        router = _find_router(read, settings.router)
        container = ContainerSpec(
            ports=(PortSpec(Transit(router)),),
            configuration=_format(settings, TOKEN),
            secrets=(Secret(TOKEN, token),),
            group=row.group,
            addresses=(AddressSpec(router, settings.address),),
            routes=(RouteSpec(router, settings.destination),),
        )
        return Compiled(container, _make_redirects(str(row.uuid), router, settings))

    def find_secrets(self, read: Read, unit: str, names: Iterable[str]) -> Mapping[str, str]:
        """Returns the token, if that is asked for and there."""
        row = read(OPERATOR_CONTAINER, unit)
        secrets = row.secret if row is not None else {}
        return {name: secrets[name] for name in names if name in secrets}

    def describe(self) -> Sequence[ConfigurationKey]:
        """Returns the keys of its configuration, and its secret."""
        keys = [
            ConfigurationKey(
                key,
                what,
                key in REQUIRED,
                find_problem=partial(find_problem, key),
                is_router=key == "router",
            )
            for key, what in KEYS.items()
        ]
        return [*keys, ConfigurationKey(TOKEN, "what a client sends first", True, True)]


def _find_router(read: Read, name: str) -> UUID:
    found = find_routers(read, name)
    if len(found) != 1:
        raise ConfigError(name_problem(name, len(found)))
    return found[0]


def _format(settings: Settings, secret: str) -> str:
    content = {
        "address": settings.address,
        "destination": settings.destination,
        "port": settings.port,
        "greeting": settings.greeting,
        "secret": secret,
    }
    return json.dumps(content, sort_keys=True)


def _make_redirects(subject: str, router: UUID, settings: Settings) -> tuple[RedirectSpec, ...]:
    """Returns the reroute to the container, and the drop for while there is none."""
    version = ipaddress.ip_network(settings.destination).version
    match: dict[str, Any] = {
        "subject": subject,
        "router": router,
        "ip_version": version,
        "sources": (_ANYWHERE[version],),
        "destinations": (settings.destination,),
        "protocol": _TCP,
        "ports": (settings.port,),
    }
    return (
        RedirectSpec(kind="reroute", action=REROUTES, level=REROUTE, **match),
        RedirectSpec(kind="drop", action=DROPS, level=LAST_RESORT, **match),
    )


HALF = EchoCompile()
