"""The API's methods on groups, chassis, containers and where they are to be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ovsdbapp.backend.ovs_idl import rowview

from . import command as commands
from . import containers, placement, root
from .run import Request
from .words import Words, make_options

_GROUP_VALUES = ("policy", "spread", "standby", "chassis_group", "port_group")


class PlacementApi:
    """A part of NorthboundApi."""

    def _command(self, name: str, request: Request, *functions: Any) -> commands.Command:
        return commands.Command(self, name, request, *functions)

    def _list(self, name: str, table: str) -> commands.ReadCommand:
        def read() -> list[Any]:
            api: Any = self
            return [rowview.RowView(row) for row in list(api.tables[table].rows.values())]

        return commands.ReadCommand(self, name, read)

    def _get(self, name: str, table: str, record: Any) -> commands.ReadCommand:
        return commands.ReadCommand(
            self, name, lambda: rowview.RowView(self._get_row(table, record))
        )

    def _get_row(self, table: str, record: Any) -> Any:
        api: Any = self
        return api.lookup(table, record)

    # -- groups ------------------------------------------------------------------

    def group_add(
        self, name: str, policy: str | None = None, may_exist: bool = False, **columns: Any
    ) -> commands.Command:
        """Adds a group; the result is its row.

        'columns' may be spread, standby (a number), chassis_group and port_group (names),
        external_ids.
        """
        given = {**columns} if policy is None else {"policy": policy, **columns}
        values, extras = _divide("group_add", given)
        request = Words(name).ask(make_options(may_exist=may_exist), values, extras)
        return self._command("group-add", request, placement.add_group)

    def group_set(self, group: str, if_exists: bool = False, **columns: Any) -> commands.Command:
        """Changes policy, spread, standby, chassis_group, port_group; None is the default."""
        values, extras = _divide("group_set", columns)
        request = Words(group).ask(make_options(if_exists=if_exists), values, extras)
        return self._command("group-set", request, placement.set_group)

    def group_del(self, group: str, if_exists: bool = False) -> commands.Command:
        """Removes a group that nothing uses."""
        return self._delete("group-del", group, "Container_Group", if_exists)

    def group_set_chassis_group(
        self, group: str, chassis_group: str | None = None
    ) -> commands.Command:
        """Keeps the containers of a group to a set of chassis, None: to no set."""
        request = Words(group).ask(values={"chassis_group": chassis_group})
        return self._command("group-set-chassis-group", request, placement.set_group)

    def group_set_port_group(self, group: str, port_group: str | None = None) -> commands.Command:
        """Keeps the containers of a group to where the ports of a set are, None: anywhere."""
        request = Words(group).ask(values={"port_group": port_group})
        return self._command("group-set-port-group", request, placement.set_group)

    def group_list(self) -> commands.ReadCommand:
        """Returns all groups as rows."""
        return self._list("group-list", "Container_Group")

    def _delete(self, name: str, record: str, table: str, if_exists: bool) -> commands.Command:
        request = Words(record).ask(make_options(if_exists=if_exists), {"table": table})
        return self._command(name, request, placement.delete_named)

    # -- sets of chassis and of ports -----------------------------------------------

    def chassis_group_add(
        self, name: str, chassis: Iterable[str], may_exist: bool = False, **columns: Any
    ) -> commands.Command:
        """Adds a set of chassis; the result is its row."""
        return self._add_set("Chassis_Group", name, chassis, may_exist, columns)

    def chassis_group_set(self, name: str, chassis: Iterable[str]) -> commands.Command:
        """Gives a set other chassis."""
        request = Words(name, *chassis).ask(values={"table": "Chassis_Group"})
        return self._command("chassis-group-set", request, placement.set_members)

    def chassis_group_del(self, name: str, if_exists: bool = False) -> commands.Command:
        """Removes a set of chassis that no group uses."""
        return self._delete("chassis-group-del", name, "Chassis_Group", if_exists)

    def port_group_add(
        self, name: str, ports: Iterable[str], may_exist: bool = False, **columns: Any
    ) -> commands.Command:
        """Adds a set of ports; the result is its row."""
        return self._add_set("Port_Group", name, ports, may_exist, columns)

    def port_group_set(self, name: str, ports: Iterable[str]) -> commands.Command:
        """Gives a set other ports."""
        request = Words(name, *ports).ask(values={"table": "Port_Group"})
        return self._command("port-group-set", request, placement.set_members)

    def port_group_del(self, name: str, if_exists: bool = False) -> commands.Command:
        """Removes a set of ports that no group uses."""
        return self._delete("port-group-del", name, "Port_Group", if_exists)

    def _add_set(
        self,
        table: str,
        name: str,
        members: Iterable[str],
        may_exist: bool,
        columns: Mapping[str, Any],
    ) -> commands.Command:
        if isinstance(members, str):
            raise TypeError("a set is given as a list of names")
        request = Words(name, *members).ask(
            make_options(may_exist=may_exist), {"table": table}, columns
        )
        noun = "chassis-group-add" if table == "Chassis_Group" else "port-group-add"
        return self._command(noun, request, placement.add_set)

    # -- chassis -----------------------------------------------------------------------

    def chassis_set_weight(self, chassis: str, weight: int | None) -> commands.Command:
        """Sets the weight of a chassis; None is the default."""
        return self._set_chassis("chassis-set-weight", chassis, container_weight=weight)

    def chassis_set_limit(self, chassis: str, limit: int | None) -> commands.Command:
        """Sets how many containers a chassis takes; None is no limit."""
        return self._set_chassis("chassis-set-limit", chassis, container_limit=limit)

    def chassis_drain(self, chassis: str) -> commands.Command:
        """Has all containers leave a chassis."""
        return self._set_chassis("chassis-drain", chassis, drain=True)

    def chassis_undrain(self, chassis: str) -> commands.Command:
        """Lets containers come to a chassis again."""
        return self._set_chassis("chassis-undrain", chassis, drain=False)

    def _set_chassis(self, name: str, chassis: str, **columns: Any) -> commands.Command:
        return self._command(name, Words(chassis).ask(values=columns), placement.set_chassis)

    # -- containers -----------------------------------------------------------------------

    def container_add(
        self,
        name: str,
        service_type: str,
        configuration: Mapping[str, str] | None = None,
        secret: Mapping[str, str] | None = None,
        may_exist: bool = False,
        **columns: Any,
    ) -> commands.Command:
        """Adds a container of the operator's own; the result is its row.

        'columns' may be group (a name), options and external_ids.
        """
        values = {"configuration": configuration, "secret": secret}
        if "group" in columns:
            values["group"] = columns.pop("group")
        request = Words(name, service_type).ask(make_options(may_exist=may_exist), values, columns)
        return self._command("container-add", request, containers.add)

    def container_set(
        self,
        container: str,
        configuration: Mapping[str, str | None] | None = None,
        secret: Mapping[str, str | None] | None = None,
        if_exists: bool = False,
        **columns: Any,
    ) -> commands.Command:
        """Changes keys of a container, its group, options or external_ids; None takes out."""
        values: dict[str, Any] = {"configuration": configuration, "secret": secret}
        if "group" in columns:
            values["group"] = columns.pop("group")
        request = Words(container).ask(make_options(if_exists=if_exists), values, columns)
        return self._command("container-set", request, containers.set_values)

    def container_del(self, container: str, if_exists: bool = False) -> commands.Command:
        """Removes a container of the operator's own, and what was wished for it."""
        request = Words(container).ask(make_options(if_exists=if_exists))
        return self._command("container-del", request, containers.delete)

    def container_list(self) -> commands.ReadCommand:
        """Returns all containers as rows."""
        return self._list("container-list", containers.TABLE)

    def container_pin(
        self, container: str, chassis: str, may_be_absent: bool = False
    ) -> commands.Command:
        """Lets a container run on one chassis only; with 'may_be_absent' one that is to come."""
        request = Words(container, chassis).ask(values={"may_be_absent": may_be_absent})
        return self._command("container-pin", request, containers.pin)

    def container_unpin(self, container: str) -> commands.Command:
        """Lets a container run anywhere again."""
        return self._command("container-unpin", Words(container).ask(), containers.unpin)

    def container_migrate(self, container: str, chassis: str) -> commands.Command:
        """Moves a container once; the result is the wish, None if it is there already."""
        request = Words(container, chassis).ask()
        return self._command("container-migrate", request, containers.migrate)

    def container_forgive(self, container: str, chassis: str | None = None) -> commands.Command:
        """Lets a container be tried at once where it failed, or on one chassis only."""
        words = Words(container) if chassis is None else Words(container, chassis)
        return self._command("container-forgive", words.ask(), containers.forgive)

    # -- the root row -----------------------------------------------------------------------

    def set_options(self, **options: Any) -> commands.Command:
        """Sets keys of SVC_Global:options, "_" for "-"; None takes one out."""
        values = {key.replace("_", "-"): value for key, value in options.items()}
        texts = {
            key: str(value).lower() if isinstance(value, bool) else value
            for key, value in values.items()
        }
        return self._command("set-options", Request(values=texts), root.set_options)

    def failover_now(self) -> commands.Command:
        """Has what was lost when many chassis went silent at once placed anew, if that is held."""
        return self._command("failover-now", Request(), root.fail_over)

    def nb_cfg_increment(self) -> root.NbCfgIncrement:
        """Raises nb_cfg in the transaction that it is added to; the result is the number.

        wait_for_cfg() then waits until svc-northd, or every chassis, has done what is in it.
        """
        return root.NbCfgIncrement(self)


def _divide(method: str, columns: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns what the command knows, and columns beside it; TypeError for what is neither."""
    values = {key: value for key, value in columns.items() if key in _GROUP_VALUES}
    extras = {key: value for key, value in columns.items() if key not in values}
    for key in extras.keys() - {"external_ids"}:
        raise TypeError(f"{method}() got an unexpected keyword argument {key!r}")
    return values, extras
