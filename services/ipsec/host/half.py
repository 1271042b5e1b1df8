"""What svc-controller asks of the service type 'ipsec'."""

from __future__ import annotations

from dataclasses import replace

from ...api.host import Plan, Probe, Sandbox, Service, Site
from . import charon
from .connections import parse
from .gateway import Gateway
from .network import find_inner_mtu, make_network


class IpsecHost:
    """A services.api ServiceMaker: makes a Gateway for each container.

    Where ESP is done is found out once: a charon that runs cannot change it,
    and all containers of a chassis are alike.
    """

    def __init__(self) -> None:
        self._esp: str | None = None

    def probe(self) -> Probe:
        problem = charon.find_problem()
        if problem is None and self._esp is None:
            problem = self._find_esp()
        facts = {"ipsec-esp": self._esp} if self._esp is not None else {}
        return Probe(problem, facts)

    def plan(self, configuration: str, site: Site) -> Plan:
        settings = parse(configuration)
        settings = replace(settings, inner_mtu=find_inner_mtu(settings, site))
        network = make_network(settings, site, self._esp != charon.KERNEL)
        return Plan(network, settings=settings)

    def create(self, sandbox: Sandbox, restarts: int) -> Service:
        return Gateway(sandbox, self._esp or charon.LIBIPSEC, restarts)

    def _find_esp(self) -> str | None:
        """Notes where ESP is done; returns why it is nowhere."""
        in_kernel = charon.has_kernel_esp()
        if in_kernel is None:
            return "the kernel did not say in time whether it has ESP; it is asked again"
        if in_kernel:
            self._esp = charon.KERNEL
            return None
        problem = charon.find_libipsec_problem()
        if problem is None:
            self._esp = charon.LIBIPSEC
        return problem
