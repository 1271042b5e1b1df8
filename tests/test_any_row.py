"""Any content of any row harms only itself: rows at random beside VPNs that run, in memory."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any
from uuid import UUID

import pytest

from ..lib.rows import Row
from ..northd.ovn import rows as ovn
from ..services.ipsec.router_rules import make_container_name
from .logs import Logs
from .memory_cloud import MemoryCloud
from .population import Site, add_chassis, add_site
from .random_rows import Weather

HEALTHY = ("good-hv1", "good-hv2")
ROWS_OF_A_TABLE = 25
ROUNDS = 6


class _Storm:
    """A cloud with VPNs that run, others that are changed at random, and rows from nowhere."""

    def __init__(self, seed: int, *, aimed: bool = False) -> None:
        self.cloud = MemoryCloud()
        for name in HEALTHY:
            add_chassis(self.cloud, name)
        self.healthy = [
            add_site(self.cloud, f"good-{number}", f"203.0.{number}") for number in range(8)
        ]
        # So they have nothing to do with the other chassis.
        self.cloud.settle(HEALTHY)
        for name in ("hv1", "hv2"):
            add_chassis(self.cloud, name)
        self.victims = [
            add_site(self.cloud, f"bad-{number}", f"100.64.{number}") for number in range(8)
        ]
        self.cloud.settle((*HEALTHY, "hv1", "hv2"))
        self._spared = _find_rows_of(self.cloud, self.healthy)
        self._random = Random(seed)
        self._pools = {
            row_class.TABLE: [UUID(int=self._random.getrandbits(128)) for _ in range(20)]
            for row_class in self.cloud.tables
        }
        self.weather = Weather(seed, self._list_words(aimed), self._find_uuids)

    def blow(self) -> None:
        """Adds, changes and removes rows of every table."""
        classes = list(self.cloud.tables)
        for row_class in classes * ROWS_OF_A_TABLE:
            known = [
                row
                for row in self.cloud.tables[row_class].values()
                if row.uuid not in self._spared and not _is_of(row, self.healthy)
            ]
            dice = self._random.random()
            if known and dice < 0.5:
                self.cloud.put(self.weather.change_row(self._random.choice(known)))
            elif known and dice < 0.6:
                self.cloud.remove(row_class, self._random.choice(known).uuid)
            else:
                uuid = self._random.choice(self._pools[row_class.TABLE])
                self.cloud.put(self.weather.draw_row(row_class, uuid))

    def see(self) -> dict[Any, Any]:
        """Returns all outputs of those that nothing is wrong with."""
        found: dict[Any, Any] = self.cloud.see(tuple(site.container for site in self.healthy))
        for site in self.healthy:
            for datum in self.cloud.statuses:
                found[datum.name, site.service] = self.cloud.engine.get(datum, site.service)
        return found

    def _list_words(self, aimed: bool) -> list[str]:
        sites = [*self.victims, *(self.healthy if aimed else ())]
        names = [f"bad-{number}" for number in range(8)]
        words = [*names, "hv1", "hv2", "nowhere", "active", "ipsec", "svc0", "1"]
        words += [str(site.router) for site in sites] + [str(site.service) for site in sites]
        words += [str(uuid) for site in sites for uuid in site.connections]
        words += [site.container for site in sites]
        words += [f"{site.container}/container" for site in sites]
        words += [f"{site.container}-lrp" for site in sites]
        words += [make_container_name(uuid) for uuid in self._pools[ovn.LogicalRouter.TABLE]]
        if aimed:
            words += [*HEALTHY, *(f"good-{number}" for number in range(8))]
            words += [f"203.0.{number}.100" for number in range(8)]
        return words

    def _find_uuids(self, table: str) -> list[UUID]:
        known = self._pools.get(table, [])
        present = [
            uuid
            for row_class, rows in self.cloud.tables.items()
            if table == row_class.TABLE
            for uuid in rows
            if uuid not in self._spared
        ]
        return known + self._random.sample(present, min(len(present), 5))


def _find_rows_of(cloud: MemoryCloud, sites: Iterable[Site]) -> set[UUID]:
    """Returns the rows that healthy VPNs depend on, but for those that svc-northd makes."""
    found: set[UUID] = set()
    for site in sites:
        router = cloud.tables[ovn.LogicalRouter][site.router]
        found |= {site.router, site.service, *site.connections}
        found |= {*router.ports, *router.static_routes, *router.nat, *router.policies}
    for rows in cloud.tables.values():
        found |= {row.uuid for row in rows.values() if getattr(row, "name", "") in HEALTHY}
    return found


def _is_of(row: Row, sites: Iterable[Site]) -> bool:
    """Whether svc-northd made a row for one of these VPNs, or its chassis did."""
    names = {site.container for site in sites}
    key = ovn.find_key(getattr(row, "external_ids", {})) or ""
    texts = {getattr(row, "container", ""), getattr(row, "name", ""), key.partition("/")[0]}
    return bool(names & texts) or getattr(row, "chassis", "") in HEALTHY


@pytest.mark.parametrize("seed", range(4))
def test_any_row_harms_only_itself(logs: Logs, seed: int) -> None:
    storm = _Storm(seed)
    before = storm.see()
    assert len(before) >= 8 * 5
    for _ in range(ROUNDS):
        storm.blow()
        storm.cloud.run(spent_ms=1000)
        assert not storm.cloud.engine.faults, _show(storm.cloud)
        seen = storm.see()
        assert {key for key in before if seen.get(key) != before[key]} == set()
        storm.cloud.write()
        storm.cloud.run()
    assert storm.cloud.engine.find_differences() == []
    assert logs.find_warnings() == []


@pytest.mark.parametrize("seed", range(4))
def test_rows_that_aim_at_others_are_no_mistake_of_ours(logs: Logs, seed: int) -> None:
    storm = _Storm(seed, aimed=True)
    for _ in range(ROUNDS):
        storm.blow()
        storm.cloud.run(spent_ms=1000)
        assert not storm.cloud.engine.faults, _show(storm.cloud)
        for each in storm.healthy:
            assert storm.cloud.engine.get(storm.cloud.statuses[0], each.service)
        storm.cloud.write()
        storm.cloud.run()
    assert storm.cloud.engine.find_differences() == []
    assert logs.find_warnings() == []


def _show(cloud: MemoryCloud) -> str:
    first = next(iter(cloud.engine.faults.items()))
    return f"{len(cloud.engine.faults)} faults; {first[0]}: {first[1].trace}"
