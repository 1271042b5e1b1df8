"""Node 'redirect_problem': what takes traffic from a container, though it is rerouted and guarded.

A route of somebody else that discards may be a longer match than ours can be
(ovn/routing.py), and a policy of somebody else may be as high as ours: then OVN
takes any of the two.  The tunnel of a VPN may well be up all the same, so that
somebody must say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from uuid import UUID

from ...lib.addresses import quote
from ...lib.router import Route, Router, parse_networks
from ...services.api.compile import DROPS, LAST_RESORT, REDIRECT_PROBLEM, ROUTER
from ...services.api.node import AnyNode, Datum, Index, Node, Read
from ..ovn import rows as ovn
from ..ovn.routing import Routing
from .en_redirect import PRIORITIES, REDIRECT, Redirect, Redirects
from .tables import LOGICAL_ROUTER, ROUTER_POLICY, find_rows

_REDIRECTED: Datum[UUID, AbstractSet[str]] = Datum("redirects by router")
# Routers that have policies, by themselves.
_WITH_POLICIES: Datum[UUID, AbstractSet[UUID]] = Datum("ovn routers with policies")
# By router with redirects: what is said of the policies of others that are as high as ours.
_RIVALS: Datum[UUID, tuple[str, ...]] = Datum("rival_policies")


def find_rivals(read: Read, router: UUID) -> tuple[str, ...] | None:
    """Returns sentences on the policies of somebody else on a router that may come before ours."""
    row = read(LOGICAL_ROUTER, router) if read(_REDIRECTED, router) else None
    policies = find_rows(read, ROUTER_POLICY, frozenset(row.policies)) if row is not None else []
    foreign = (each for each in policies if ovn.find_key(each.external_ids) is None)
    told = {_tell_rival(row.name, each) for each in foreign if _is_rival(each)} if row else None
    return tuple(sorted(told)) if told else None


def run(read: Read, name: str) -> Mapping[str, str] | None:
    """Returns sentences on the redirects of a container by subject, None if all is well."""
    redirects = read(REDIRECT, name) if read.find_problem(REDIRECT, name) is None else None
    found: dict[str, set[str]] = {}
    where: UUID | None = None
    for rule in redirects.rules if redirects is not None else ():
        if rule.router is not where:  # mostly all are on one
            where = rule.router
            router, rivals = read(ROUTER, where), read(_RIVALS, where) or ()
            discards = router is not None and any(each.discards for each in router.routes)
            routing = Routing(router) if router is not None and discards else None
        if router is None or not (rivals or routing):
            continue
        told = found.setdefault(rule.subject, set())
        told.update(rivals)
        if rule.action != DROPS and routing is not None:
            told.update(_find_discards(router, routing, rule))
    return {subject: _join(told) for subject, told in sorted(found.items()) if told} or None


def _is_rival(policy: ovn.RouterPolicy) -> bool:
    """Returns whether a policy may lead traffic around the container, or keep it from there.

    One that drops does no harm where ours drop too.
    """
    least = PRIORITIES[LAST_RESORT] + (policy.action == DROPS)
    return policy.priority >= least


def _tell_rival(router: str, policy: ovn.RouterPolicy) -> str:
    does = "drop traffic" if policy.action == DROPS else "lead traffic around"
    what = f"policy {policy.priority} {quote(policy.match)} of router {quote(router)}"
    return f"{what} may {does}, being as high as those of svc-northd"


def _find_discards(router: Router, routing: Routing, rule: Redirect) -> Iterator[str]:
    sources, destinations = parse_networks(rule.sources), parse_networks(rule.destinations)
    for route in routing.find_discards(sources, destinations):
        yield _tell_discard(router, route)


def _tell_discard(router: Router, route: Route) -> str:
    what = "from" if route.by_source else "to"
    table = f" in route table {quote(route.table)}" if route.table else ""
    return f"a route of router {quote(router.name)}{table} discards traffic {what} {route.prefix}"


def _join(sentences: Iterable[str]) -> str:
    """Returns the first of some sentences, and how many others there are."""
    first, *others = sorted(sentences)
    return f"{first} (and {len(others)} more like it)" if others else first


def _find_routers(_name: str, redirects: Redirects) -> Iterable[UUID]:
    return {rule.router for rule in redirects.rules}


NODES: tuple[AnyNode, ...] = (
    Index(_REDIRECTED, REDIRECT, _find_routers),
    Index(_WITH_POLICIES, LOGICAL_ROUTER, lambda uuid, row: (uuid,) if row.policies else ()),
    Node(_RIVALS, find_rivals, (_WITH_POLICIES,), (_REDIRECTED, LOGICAL_ROUTER, ROUTER_POLICY)),
    Node(REDIRECT_PROBLEM, run, (REDIRECT,), (ROUTER, _RIVALS)),
)
