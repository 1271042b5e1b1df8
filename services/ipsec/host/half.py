"""What svc-controller asks of the service type 'ipsec'."""

from __future__ import annotations

from dataclasses import replace

from ....lib.loop import monotonic_ms
from ...api.host import Plan, Probe, Sandbox, Service, Site
from . import charon
from .connections import parse
from .esp import EspQuestion
from .gateway import Gateway
from .network import find_inner_mtu, make_network


class IpsecHost:
    """A services.api ServiceMaker: makes a Gateway for each container.

    Where ESP is done is found out once: a charon that runs cannot change it,
    and all containers of a chassis are alike.
    """

    def __init__(self) -> None:
        self._esp: str | None = None
        self._question = EspQuestion()
        self._problem: str | None = None

    def probe(self) -> Probe:
        problem, pending = charon.find_problem(), False
        if problem is None and self._esp is None:
            problem, pending = self._find_esp()
        facts = {"ipsec-esp": self._esp} if self._esp is not None else {}
        return Probe(problem, facts, pending)

    def plan(self, configuration: str, site: Site) -> Plan:
        settings = parse(configuration)
        settings = replace(settings, inner_mtu=find_inner_mtu(settings, site))
        network = make_network(settings, site, self._esp != charon.KERNEL)
        return Plan(network, settings=settings)

    def create(self, sandbox: Sandbox, restarts: int) -> Service:
        return Gateway(sandbox, self._esp or charon.LIBIPSEC, restarts)

    def _find_esp(self) -> tuple[str | None, bool]:
        """Notes where ESP is done; returns why it is nowhere, and whether that is not known yet."""
        in_kernel = self._question.find(monotonic_ms())
        if in_kernel is None:
            # While it is asked again, what it said stands.
            return self._problem or self._question.problem, self._problem is None
        if in_kernel:
            self._esp = charon.KERNEL
            return None, False
        problem = charon.find_libipsec_problem()
        if problem is None:
            self._esp = charon.LIBIPSEC
        self._problem = problem
        return problem, False
