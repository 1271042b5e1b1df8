"""Port groups: on which chassis OVN has their ports."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from ..lib import nb
from ..northd import en_port_group, ovn_sb

HV1, HV2, GONE = UUID(int=1), UUID(int=2), UUID(int=3)
WEB, DB = UUID(int=11), UUID(int=12)
CHASSIS = {HV1: ovn_sb.Chassis(HV1, "hv1"), HV2: ovn_sb.Chassis(HV2, "hv2")}


def _make_groups(**ports: tuple[str, ...]) -> Mapping[UUID, nb.PortGroup]:
    uuids = {"web": WEB, "db": DB}
    return {uuids[name]: nb.PortGroup(uuids[name], name, each) for name, each in ports.items()}


def _bind(**places: tuple[UUID | None, bool | None]) -> Mapping[UUID, ovn_sb.PortBinding]:
    rows = [
        ovn_sb.PortBinding(UUID(int=100 + number), port, chassis, up)
        for number, (port, (chassis, up)) in enumerate(places.items())
    ]
    return {row.uuid: row for row in rows}


def _make_container_group(port_group: UUID | None) -> nb.ContainerGroup:
    return nb.ContainerGroup(UUID(int=21), "vpns", None, None, port_group, None, {})


def test_ports_count_where_they_are_bound_and_up() -> None:
    groups = _make_groups(web=("a", "b", "c"), db=("d", "e", "unheard-of"))
    ports = _bind(a=(HV1, True), b=(HV2, None), c=(HV1, True), d=(None, None), e=(HV2, False))
    known = frozenset("abcde") | {"unheard-of"}
    found = en_port_group.run(groups, known, ports, CHASSIS)
    # A chassis that does not say "up" is one of an OVN before 21.03.
    assert found == {WEB: {"hv1", "hv2"}, DB: frozenset()}


def test_a_group_whose_ports_were_not_all_read_is_not_known() -> None:
    groups = _make_groups(web=("a", "b"), db=("a",))
    ports = _bind(a=(HV1, True))
    assert en_port_group.run(groups, frozenset("a"), ports, CHASSIS) == {DB: {"hv1"}}
    assert en_port_group.run(groups, None, None, None) == {}


def test_a_port_on_a_chassis_that_is_gone_counts_nowhere() -> None:
    groups = _make_groups(web=("a",))
    ports = _bind(a=(GONE, True))
    assert en_port_group.run(groups, frozenset("a"), ports, CHASSIS) == {WEB: frozenset()}


def test_ports_are_wanted_of_groups_that_a_container_group_names() -> None:
    groups = _make_groups(web=("a", "b"), db=("c",))
    for port_group, wanted in ((None, None), (WEB, {"a", "b"}), (DB, {"c"}), (GONE, None)):
        row = _make_container_group(port_group)
        assert en_port_group.find_ports({row.uuid: row}, groups) == wanted
    assert en_port_group.find_ports({}, groups) is None
    row = _make_container_group(WEB)
    assert en_port_group.find_ports({row.uuid: row}, _make_groups(web=())) == frozenset()
