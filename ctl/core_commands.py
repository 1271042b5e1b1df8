"""The table of commands, one row each: name, arguments, function, tables, options.

An argument in brackets may be left out; ".." at the end lets the last one
repeat.  Help, completion and the check of a command's words come from here.
"""

from __future__ import annotations

from ..services.api.commands import TYPE_TABLES, Command

_GROUP = "Container_Group? Chassis_Group? Port_Group?"
_GROUPS = "Container_Group Chassis_Group Port_Group"
_CONTAINER = "Service_Container? Container_Wish? Container_Group?"
_CONTAINERS = "Service_Container Container_Wish Container_Group"
_LIST = "Service_Container?! Container_Wish?! Container_Group?! SVC_Global"
_PLACE = f"{_CONTAINER} Chassis? Chassis_Group?"
_SHOW = f"{TYPE_TABLES}?! {_LIST}"
_STATUS = (
    f"{TYPE_TABLES} SVC_Global Service_Container Container_Group Container_Wish? Chassis Connection"
)

SECTIONS = (
    (
        "General commands",
        (
            Command("help", "[COMMAND]", "help.tell", ""),
            Command(
                "events",
                "[NAME]..",
                "commands.events.list_all",
                f"Event? Service_Container? Chassis? Container_Wish? {_GROUP} {TYPE_TABLES}?",
                "--since= --last= --wide",
            ),
            Command("init", "", "commands.overview.init", "SVC_Global", changes=True),
            Command("show", "[NAME]", "commands.overview.show", _SHOW),
            Command(
                "status",
                "",
                "commands.status.status or commands.status.tell_without_northbound",
                _STATUS,
                "--all",
            ),
            Command("sync", "", "commands.overview.sync", "SVC_Global", changes=True),
        ),
    ),
    (
        "Group commands",
        (
            Command(
                "group-add",
                "GROUP [POLICY]",
                "commands.group.add",
                _GROUP,
                "--may-exist --spread= --standby=",
                changes=True,
            ),
            Command(
                "group-set",
                "GROUP",
                "commands.group.set_columns",
                _GROUP,
                "--policy= --spread= --standby=",
                changes=True,
            ),
            Command(
                "group-del", "GROUP", "commands.group.delete", _GROUP, "--if-exists", changes=True
            ),
            Command("group-list", "", "commands.group.list_all", _GROUPS),
            Command(
                "group-set-chassis-group",
                "GROUP [CHASSIS_GROUP]",
                "commands.group.set_chassis_group",
                _GROUP,
                changes=True,
            ),
            Command(
                "group-set-port-group",
                "GROUP [PORT_GROUP]",
                "commands.group.set_port_group",
                _GROUP,
                changes=True,
            ),
            Command(
                "chassis-group-add",
                "CHASSIS_GROUP CHASSIS..",
                "commands.chassis_group.add",
                "Chassis_Group? Chassis?",
                "--may-exist",
                changes=True,
            ),
            Command(
                "chassis-group-del",
                "CHASSIS_GROUP",
                "commands.chassis_group.delete",
                "Chassis_Group?",
                "--if-exists",
                changes=True,
            ),
            Command("chassis-group-list", "", "commands.chassis_group.list_all", "Chassis_Group"),
            Command(
                "port-group-add",
                "PORT_GROUP PORT..",
                "commands.port_group.add",
                "Port_Group?",
                "--may-exist",
                changes=True,
            ),
            Command(
                "port-group-del",
                "PORT_GROUP",
                "commands.port_group.delete",
                "Port_Group?",
                "--if-exists",
                changes=True,
            ),
            Command("port-group-list", "", "commands.port_group.list_all", "Port_Group"),
        ),
    ),
    (
        "Chassis commands",
        (
            Command(
                "chassis-list",
                "[NAME]",
                "commands.chassis.list_all",
                "Chassis SVC_Global Container_Group?",
                "--wide",
            ),
            Command(
                "chassis-set-weight",
                "CHASSIS N",
                "commands.chassis.set_weight",
                "Chassis?",
                changes=True,
            ),
            Command(
                "chassis-set-limit",
                "CHASSIS N|none",
                "commands.chassis.set_limit",
                "Chassis?",
                changes=True,
            ),
            Command(
                "chassis-drain",
                "CHASSIS",
                "commands.chassis.drain",
                "Chassis?",
                "--wait",
                changes=True,
            ),
            Command(
                "chassis-undrain", "CHASSIS", "commands.chassis.undrain", "Chassis?", changes=True
            ),
            Command(
                "chassis-del",
                "CHASSIS",
                "commands.chassis.delete",
                "Chassis?",
                "--if-exists --wait",
                changes=True,
            ),
            Command("failover-now", "", "commands.chassis.fail_over", "SVC_Global", changes=True),
        ),
    ),
    (
        "Container commands",
        (
            Command("container-list", "[NAME]", "commands.container.list_all", _LIST, "--wide"),
            Command(
                "container-show",
                "CONTAINER",
                "commands.container.show",
                f"{_CONTAINER} SVC_Global?",
            ),
            Command(
                "container-add",
                "NAME TYPE [KEY=VALUE]..",
                "commands.own_container.add",
                _CONTAINER,
                "--group= --secret=*..",
                changes=True,
            ),
            Command(
                "container-set",
                "NAME [KEY=VALUE]..",
                "commands.own_container.set_values",
                _CONTAINER,
                "--group= --secret=*..",
                changes=True,
            ),
            Command(
                "container-del",
                "NAME",
                "commands.own_container.delete",
                _CONTAINER,
                "--if-exists",
                changes=True,
            ),
            Command(
                "container-migrate",
                "CONTAINER CHASSIS",
                "commands.container_wish.migrate",
                _PLACE,
                "--wait",
                changes=True,
            ),
            Command(
                "container-pin",
                "CONTAINER CHASSIS",
                "commands.container_wish.pin",
                _PLACE,
                changes=True,
            ),
            Command(
                "container-unpin",
                "CONTAINER",
                "commands.container_wish.unpin",
                _CONTAINER,
                changes=True,
            ),
            Command(
                "container-forgive",
                "CONTAINER [CHASSIS]",
                "commands.container_wish.forgive",
                _CONTAINER,
                "--if-exists",
                changes=True,
            ),
        ),
    ),
    (
        "Connection and TLS commands",
        (
            Command(
                "get-connection", "", "commands.remote.get_connection", "SVC_Global Connection"
            ),
            Command(
                "del-connection",
                "",
                "commands.remote.delete_connection",
                "SVC_Global Connection",
                changes=True,
            ),
            Command(
                "set-connection",
                "TARGET..",
                "commands.remote.set_connection",
                "SVC_Global Connection",
                "--inactivity-probe=",
                changes=True,
            ),
            Command("get-ssl", "", "commands.remote.get_ssl", "SVC_Global SSL"),
            Command("del-ssl", "", "commands.remote.delete_ssl", "SVC_Global SSL", changes=True),
            Command(
                "set-ssl",
                "PRIVATE-KEY CERTIFICATE CA-CERT [SSL-PROTOS] [SSL-CIPHERS]",
                "commands.remote.set_ssl",
                "SVC_Global SSL",
                "--bootstrap",
                changes=True,
            ),
        ),
    ),
    (
        "Database commands",
        (
            Command(
                "list", "TABLE [RECORD]..", "db.database.list_rows", "*", "--if-exists --columns="
            ),
            Command("find", "TABLE [CONDITION]..", "db.database.find_rows", "*", "--columns="),
            Command(
                "get",
                "TABLE RECORD [COLUMN[:KEY]]..",
                "db.database.get_values",
                "*",
                "--if-exists --id=",
            ),
            Command(
                "set",
                "TABLE RECORD COLUMN[:KEY]=VALUE..",
                "db.changes.set_values",
                "*",
                "--if-exists",
                changes=True,
            ),
            Command(
                "add",
                "TABLE RECORD COLUMN [KEY=]VALUE..",
                "db.changes.add_values",
                "*",
                "--if-exists",
                changes=True,
            ),
            Command(
                "remove",
                "TABLE RECORD COLUMN KEY|VALUE|KEY=VALUE..",
                "db.changes.remove_values",
                "*",
                "--if-exists",
                changes=True,
            ),
            Command(
                "clear",
                "TABLE RECORD COLUMN..",
                "db.changes.clear_columns",
                "*",
                "--if-exists",
                changes=True,
            ),
            Command(
                "create",
                "TABLE COLUMN[:KEY]=VALUE..",
                "db.changes.create_row",
                "*",
                "--id=",
                changes=True,
            ),
            Command(
                "destroy",
                "TABLE [RECORD]..",
                "db.changes.destroy_rows",
                "*",
                "--if-exists --all",
                changes=True,
            ),
            Command(
                "wait-until",
                "TABLE RECORD [CONDITION]..",
                "db.database.wait_until",
                "*",
                "--if-exists",
            ),
            Command("comment", "[WORD]..", "db.database.comment", "", changes=True),
        ),
    ),
)

COMMANDS = {command.name: command for _, section in SECTIONS for command in section}
