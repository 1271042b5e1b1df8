"""The bench's gaps: how long traffic through a VPN stops when something fails or is moved.

Guest vm1 on hv1 pings through a container on hv2, to which it happens.  Another tenant's traffic,
all on hv3, is pinged at the same time; what it loses is a figure of its own, and is to be none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from . import central, cloud, database, tenant, traffic
from .errors import LabError
from .figure import Figure
from .process import POLL_S, ProcessId
from .soak_actions import find_container
from .state import Lab
from .tenant import Tenant

PSK = "only for the bench"
TIMEOUT_S = 60.0
PLACE, ASIDE = "hv2", "hv3"
GUEST = "vm1"
GROUP = tenant.FIRST.site
OTHER = Tenant(2, {"vm3": ASIDE}, (ASIDE,))
SHORT_INTERVAL_S = 0.01  # for gaps that are shorter than the usual interval
WATCHED_S = 1.5  # how long traffic must pass before a gap counts as over
# A chassis counts as dead after four heartbeats if nothing else is said.
PACES = {
    "": {},
    "500 ms": {"heartbeat-interval": "500"},
    "quick": {"heartbeat-interval": "500", "chassis-dead-after": "1500"},
}


@dataclass(frozen=True, slots=True)
class Failure:
    """What happens to the container on PLACE, given the lab and the container's name.

    'moves' says that another chassis takes over, 'restarts' that charon begins anew; 'aim' is in s,
    and 'pace' names the options, of PACES.
    """

    name: str
    act: Callable[[Lab, str], None]
    moves: bool = True
    restarts: bool = False
    aim: float | None = None
    interval_s: float = traffic.PING_INTERVAL_S
    standbys: int = 0
    pace: str = ""


def kill(process: str, lab: Lab, _container: str) -> None:
    cloud.kill_process(lab.get_host(PLACE), process)


def kill_chassis(lab: Lab, _container: str) -> None:
    lab.get_host(PLACE).kill()


def partition(lab: Lab, _container: str) -> None:
    cloud.partition(lab, lab.get_host(PLACE))


def delete_namespace(lab: Lab, container: str) -> None:
    lab.get_host(PLACE).run("ip", "netns", "delete", container)


def kill_chassis_and_northd(lab: Lab, _container: str) -> None:
    host = lab.get_host("central")
    active = central.find_active_northd(host)
    kill_chassis(lab, "")
    cloud.kill_process(host, active)


def restart_southbound(lab: Lab, _container: str) -> None:
    host = lab.get_host("central")
    cloud.kill_process(host, "svcsb_db")
    cloud.start_process(host, "svcsb_db")
    database.svcctl(lab, "--wait=hv", "sync")


def command(*words: str, lab: Lab, container: str) -> None:
    """Runs svcctl, with the container's name for CONTAINER."""
    database.svcctl(lab, *(container if word == "CONTAINER" else word for word in words))


def planned(*words: str) -> Callable[[Lab, str], None]:
    """Returns what runs a command of svcctl."""
    return lambda lab, container: command(*words, lab=lab, container=container)


def exit_cleanly(lab: Lab, _container: str) -> None:
    name = "/run/ovnsvc/svc-controller"
    script = f'exec ovs-appctl -t "{name}.$(cat {name}.pid).ctl" exit --cleanup'
    lab.get_host(PLACE).run("sh", "-c", script)


DEATHS = (
    Failure("svc-controller killed for good", partial(kill, "svc-controller")),
    Failure("ovn-controller killed for good", partial(kill, "ovn-controller")),
    Failure("chassis killed", kill_chassis, aim=6.0),
    Failure("chassis partitioned", partition, aim=6.0),
    Failure("chassis and active svc-northd killed", kill_chassis_and_northd),
    Failure("chassis killed, with a standby", kill_chassis, aim=6.0, standbys=1),
)
FAILURES = (
    Failure("charon killed", partial(kill, "charon"), moves=False, restarts=True, aim=2.0),
    Failure("namespace deleted", delete_namespace, moves=False, restarts=True),
    *DEATHS,
    Failure("southbound restarted", restart_southbound, moves=False, interval_s=SHORT_INTERVAL_S),
    *(
        Failure(name, act, aim=0.5, interval_s=SHORT_INTERVAL_S)
        for name, act in (
            ("container-migrate", planned("container-migrate", "CONTAINER", ASIDE)),
            ("chassis-drain", planned("chassis-drain", PLACE)),
            ("weight 0", planned("chassis-set-weight", PLACE, "0")),
            ("exit --cleanup", exit_cleanly),
        )
    ),
    *(
        replace(each, name=f"{each.name}, {pace}", aim=3.0, pace=pace)
        for pace in PACES
        for each in DEATHS
        if pace and each.aim
    ),
)


def measure(lab: Lab, runs: int) -> Iterator[Figure]:
    """Gives, for each failure, the gap of the traffic in s, and the other tenant's loss in all."""
    lost = []
    add_vpn(lab, tenant.FIRST)
    add_vpn(lab, OTHER)
    move(lab, find_container(lab, OTHER), ASIDE, "vm3", OTHER)
    for failure in FAILURES:
        seen = [run_once(lab, failure) for _ in range(runs)]
        lost += [float(other) for _, other in seen]
        yield Figure(f"gap: {failure.name}", "s", [gap for gap, _ in seen], aim=failure.aim)
    yield Figure("lost by another tenant meanwhile", "", lost, aim=0.0)
    delete_vpns(lab)
    wait(lambda: not database.select(lab, "SVC_Southbound", "Container_Binding"), "no container")


def run_once(lab: Lab, failure: Failure) -> tuple[float, int]:
    """Returns the gap in s that one failure makes, and what the other tenant lost."""
    container = find_container(lab, tenant.FIRST)
    set_options(lab, PACES[failure.pace])
    set_standbys(lab, container, 0)
    move(lab, container, PLACE, GUEST, tenant.FIRST)
    set_standbys(lab, container, failure.standbys)
    ping = traffic.Ping(lab, GUEST, tenant.FIRST.site_host, failure.interval_s)
    other = traffic.Ping(lab, "vm3", OTHER.site_host)
    try:
        ping.wait_answers(5)
        other.wait_answers(5)
        before = find_charon(lab, container)
        failure.act(lab, container)
        if failure.moves:
            wait(lambda: find_active(lab, container) not in ("", PLACE), "another place")
        if failure.restarts:
            wait(lambda: find_charon(lab, container) not in (before, []), "another charon")
        traffic.wait_reachable(lab, GUEST, tenant.FIRST.site_host, TIMEOUT_S)
        ping.wait_answers(int(WATCHED_S / failure.interval_s))
        result = ping.stop().longest_gap_s, other.stop().lost
    finally:
        ping.kill()
        other.kill()
    mend(lab)
    return result


def find_charon(lab: Lab, container: str) -> list[ProcessId]:
    """Returns charon's process on PLACE."""
    return lab.get_host(PLACE).find_processes(f"charon@{container}")


def mend(lab: Lab) -> None:
    """Gives everything back that a failure took; returns when every chassis is alive."""
    cloud.make_whole(lab)
    database.svcctl(lab, "--all", "destroy", "Chassis")
    wait(lambda: count_alive(lab) == len(lab.list_chassis()), "every chassis alive")
    database.svcctl(lab, "--wait=hv", "sync")


def set_options(lab: Lab, options: dict[str, str]) -> None:
    """Sets SVC_Global's options, these and no others."""
    words = [f"options:{key}={value}" for key, value in options.items()]
    setting = ["--", "set", "SVC_Global", ".", *words] if words else []
    database.svcctl(lab, "--wait=hv", "clear", "SVC_Global", ".", "options", *setting)


def set_standbys(lab: Lab, container: str, number: int) -> None:
    """Sets the number of standbys of the first tenant's group; returns when they are ready."""
    database.svcctl(lab, "set", "Container_Group", GROUP, f"options:standby={number}")
    wait(lambda: count_standbys(lab, container) == number, f"{number} standbys")


def count_standbys(lab: Lab, container: str) -> int:
    """Returns how many standbys of a container are ready; -1 while others are still there."""
    rows = database.select(
        lab,
        "SVC_Southbound",
        "Container_Binding",
        *(["container", "==", container], ["role", "==", "standby"]),
    )
    return len(rows) if all(row["status_code"] == "running" for row in rows) else -1


def move(lab: Lab, container: str, place: str, guest: str, owner: Tenant) -> None:
    """Moves a container to 'place'; returns when traffic passes there and it is free again."""
    waiting = ("wait-until", "Service_Container", container, "status_code=running")
    database.svcctl(lab, *waiting)
    database.svcctl(lab, "container-pin", container, place)
    wait(lambda: find_active(lab, container) == place, f"{container} on {place}")
    wait(lambda: count_standbys(lab, container) == 0, "the end of the move")
    traffic.wait_reachable(lab, guest, owner.site_host, TIMEOUT_S)
    database.svcctl(lab, "--wait=hv", "container-unpin", container)


def find_active(lab: Lab, container: str) -> str:
    """Returns the chassis on which a container is active, "" for none."""
    where = (["container", "==", container], ["role", "==", "active"])
    rows = database.select(lab, "SVC_Southbound", "Container_Binding", *where)
    return str(rows[0]["chassis"]) if rows else ""


def count_alive(lab: Lab) -> int:
    """Returns how many chassis svc-northd holds for alive."""
    return len(database.select(lab, "SVC_Southbound", "Chassis_Weight", ["alive", "==", True]))


def add_vpn(lab: Lab, owner: Tenant) -> None:
    """Commits a tenant's VPN, with a group of its own, without the time of a command."""
    connection = {
        "name": f"to-{owner.site}",
        "peer_address": owner.site_address,
        "peer_subnets": owner.site_subnet,
        "psk": PSK,
    }
    service = {
        "name": owner.site,
        "router": owner.router,
        "external_ips": owner.external,
        "local_subnets": owner.subnet,
        "connections": ["named-uuid", "connection"],
        "group": ["named-uuid", "group"],
    }
    new = {"op": "insert"}
    database.transact(
        lab,
        "SVC_Northbound",
        new | {"table": "IPsec_Connection", "uuid-name": "connection", "row": connection},
        new | {"table": "Container_Group", "uuid-name": "group", "row": {"name": owner.site}},
        new | {"table": "VPN_Service", "row": service},
    )


def delete_vpns(lab: Lab) -> None:
    """Commits the end of every VPN and group."""
    tables = ("VPN_Service", "Container_Group")
    everything = ({"op": "delete", "table": table, "where": []} for table in tables)
    database.transact(lab, "SVC_Northbound", *everything)


def wait(condition: Callable[[], bool], what: str) -> None:
    """Returns once 'condition' holds; raises LabError if it never does."""
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"{what}: not within {TIMEOUT_S:g} s")
        time.sleep(POLL_S)
