"""Node 'redirect_problem': what takes traffic from a container that is rerouted to it.

A route of somebody else that discards is a longer match than ours can be
(ovn/routing.py).  The tunnel of a VPN may well be up all the same, so that
somebody must say so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...lib.addresses import quote
from ...lib.router import Route, Router, parse_networks
from ...services.api.compile import DROPS, REDIRECT_PROBLEM, ROUTER
from ...services.api.node import AnyNode, Node, Read
from ..ovn.routing import find_discards
from .en_redirect import REDIRECT, Redirect


def run(read: Read, name: str) -> Mapping[str, str] | None:
    """Returns sentences on the redirects of a container by subject, None if all is well."""
    redirects = read(REDIRECT, name) if read.find_problem(REDIRECT, name) is None else None
    found: dict[str, list[str]] = {}
    for rule in redirects.rules if redirects is not None else ():
        router = read(ROUTER, rule.router)
        if router is None:
            continue
        for sentence in _find_sentences(router, rule):
            found.setdefault(rule.subject, []).append(sentence)
    return {subject: _join(sentences) for subject, sentences in sorted(found.items())} or None


def _find_sentences(router: Router, rule: Redirect) -> Iterator[str]:
    if rule.action == DROPS or all(each.leads for each in router.routes):
        return
    sources, destinations = parse_networks(rule.sources), parse_networks(rule.destinations)
    for route in find_discards(router, sources, destinations):
        yield _tell_discard(router, route)


def _tell_discard(router: Router, route: Route) -> str:
    what = "from" if route.by_source else "to"
    table = f" in route table {quote(route.table)}" if route.table else ""
    return f"a route of router {quote(router.name)}{table} discards traffic {what} {route.prefix}"


def _join(sentences: list[str]) -> str:
    """Returns the first of some sentences, and how many others there are."""
    first, *others = sorted(set(sentences))
    return f"{first} (and {len(others)} more like it)" if others else first


NODES: tuple[AnyNode, ...] = (Node(REDIRECT_PROBLEM, run, (REDIRECT,), (ROUTER,)),)
