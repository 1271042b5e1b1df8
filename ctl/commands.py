"""The table of commands, one row each: name, arguments, function, tables, options.

An argument in brackets may be left out; ".." at the end lets the last one
repeat.  Help, completion and the check of a command's words come from here.
"""

from __future__ import annotations

from .command import Command

_VPN = "VPN_Service IPsec_Connection Container_Group"
_CONN = "VPN_Service IPsec_Connection IKE_Policy IPsec_Policy"
_GROUP = "Container_Group Chassis_Group Port_Group VPN_Service Service_Container"
_CONTAINER = "Service_Container Container_Group VPN_Service"
_PLACE = "Service_Container Chassis Container_Group Chassis_Group"
_SHOW = "VPN_Service IPsec_Connection Container_Group Service_Container"
_STATUS = "SVC_Global VPN_Service IPsec_Connection Service_Container"
_POLICY = "[COLUMN=VALUE].."
_CONN_OPTIONS = (
    "--psk-file= --psk= --cert= --peer-id= --local-id= --ike-policy= --ipsec-policy= "
    "--initiator= --mtu= --dpd-action= --dpd-interval= --dpd-timeout= --enabled="
)

SECTIONS = (
    (
        "General commands",
        (
            Command("init", "", "overview.init", "SVC_Global", changes=True),
            Command("show", "[NAME]", "overview.show", _SHOW),
            Command("status", "", "overview.status", _STATUS),
            Command("sync", "", "overview.sync", "SVC_Global", changes=True),
        ),
    ),
    (
        "VPN commands",
        (
            Command(
                "vpn-add",
                "VPN ROUTER EXTERNAL_IP[,..] LOCAL_SUBNET[,..]",
                "vpn.add",
                _VPN,
                "--may-exist --mode= --group=",
                changes=True,
            ),
            Command("vpn-del", "VPN", "vpn.delete", _VPN, "--if-exists", changes=True),
            Command("vpn-list", "", "vpn.list_all", _VPN),
            Command(
                "conn-add",
                "VPN CONN PEER_ADDRESS PEER_SUBNET[,..]",
                "connection.add",
                _CONN,
                f"--may-exist {_CONN_OPTIONS}",
                changes=True,
            ),
            Command(
                "conn-set",
                "VPN CONN",
                "connection.set_columns",
                _CONN,
                f"--peer-address= --peer-subnets= {_CONN_OPTIONS}",
                changes=True,
            ),
            Command(
                "conn-del", "VPN CONN", "connection.delete", _CONN, "--if-exists", changes=True
            ),
            Command("conn-list", "VPN", "connection.list_all", _CONN),
            Command(
                "ike-policy-add",
                f"NAME {_POLICY}",
                "policy.add_ike",
                "IKE_Policy",
                "--may-exist",
                changes=True,
            ),
            Command(
                "ike-policy-del", "NAME", "policy.delete_ike", _CONN, "--if-exists", changes=True
            ),
            Command("ike-policy-list", "", "policy.list_ike", "IKE_Policy"),
            Command(
                "ipsec-policy-add",
                f"NAME {_POLICY}",
                "policy.add_ipsec",
                "IPsec_Policy",
                "--may-exist",
                changes=True,
            ),
            Command(
                "ipsec-policy-del",
                "NAME",
                "policy.delete_ipsec",
                _CONN,
                "--if-exists",
                changes=True,
            ),
            Command("ipsec-policy-list", "", "policy.list_ipsec", "IPsec_Policy"),
        ),
    ),
    (
        "Group commands",
        (
            Command(
                "group-add",
                "GROUP [POLICY]",
                "group.add",
                _GROUP,
                "--may-exist --spread= --standby=",
                changes=True,
            ),
            Command(
                "group-set",
                "GROUP",
                "group.set_columns",
                _GROUP,
                "--policy= --spread= --standby=",
                changes=True,
            ),
            Command("group-del", "GROUP", "group.delete", _GROUP, "--if-exists", changes=True),
            Command("group-list", "", "group.list_all", _GROUP),
            Command(
                "group-set-chassis-group",
                "GROUP [CHASSIS_GROUP]",
                "group.set_chassis_group",
                _GROUP,
                changes=True,
            ),
            Command(
                "group-set-port-group",
                "GROUP [PORT_GROUP]",
                "group.set_port_group",
                _GROUP,
                changes=True,
            ),
            Command(
                "chassis-group-add",
                "CHASSIS_GROUP CHASSIS..",
                "sets.add_chassis_group",
                "Chassis_Group Chassis",
                "--may-exist",
                changes=True,
            ),
            Command(
                "chassis-group-del",
                "CHASSIS_GROUP",
                "sets.delete_chassis_group",
                "Chassis_Group Container_Group",
                "--if-exists",
                changes=True,
            ),
            Command("chassis-group-list", "", "sets.list_chassis_groups", "Chassis_Group"),
            Command(
                "port-group-add",
                "PORT_GROUP PORT..",
                "sets.add_port_group",
                "Port_Group",
                "--may-exist",
                changes=True,
            ),
            Command(
                "port-group-del",
                "PORT_GROUP",
                "sets.delete_port_group",
                "Port_Group Container_Group",
                "--if-exists",
                changes=True,
            ),
            Command("port-group-list", "", "sets.list_port_groups", "Port_Group"),
        ),
    ),
    (
        "Chassis commands",
        (
            Command("chassis-list", "", "chassis.list_all", "Chassis"),
            Command(
                "chassis-set-weight", "CHASSIS N", "chassis.set_weight", "Chassis", changes=True
            ),
            Command(
                "chassis-set-limit", "CHASSIS N|none", "chassis.set_limit", "Chassis", changes=True
            ),
            Command("chassis-drain", "CHASSIS", "chassis.drain", "Chassis", "--wait", changes=True),
            Command("chassis-undrain", "CHASSIS", "chassis.undrain", "Chassis", changes=True),
        ),
    ),
    (
        "Container commands",
        (
            Command("container-list", "", "container.list_all", _CONTAINER),
            Command("container-show", "CONTAINER", "container.show", _CONTAINER),
            Command(
                "container-migrate",
                "CONTAINER CHASSIS",
                "container.migrate",
                _PLACE,
                "--wait",
                changes=True,
            ),
            Command("container-pin", "CONTAINER CHASSIS", "container.pin", _PLACE, changes=True),
            Command(
                "container-unpin", "CONTAINER", "container.unpin", "Service_Container", changes=True
            ),
        ),
    ),
    (
        "Connection and TLS commands",
        (
            Command("get-connection", "", "remote.get_connection", "SVC_Global Connection"),
            Command(
                "del-connection",
                "",
                "remote.delete_connection",
                "SVC_Global Connection",
                changes=True,
            ),
            Command(
                "set-connection",
                "TARGET..",
                "remote.set_connection",
                "SVC_Global Connection",
                "--inactivity-probe=",
                changes=True,
            ),
            Command("get-ssl", "", "remote.get_ssl", "SVC_Global SSL"),
            Command("del-ssl", "", "remote.delete_ssl", "SVC_Global SSL", changes=True),
            Command(
                "set-ssl",
                "PRIVATE-KEY CERTIFICATE CA-CERT [SSL-PROTOS] [SSL-CIPHERS]",
                "remote.set_ssl",
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
                "list", "TABLE [RECORD]..", "database.list_rows", "*", "--if-exists --columns="
            ),
            Command("find", "TABLE [CONDITION]..", "database.find_rows", "*", "--columns="),
            Command(
                "get",
                "TABLE RECORD [COLUMN[:KEY]]..",
                "database.get_values",
                "*",
                "--if-exists --id=",
            ),
            Command(
                "set",
                "TABLE RECORD COLUMN[:KEY]=VALUE..",
                "database.set_values",
                "*",
                "--if-exists",
                changes=True,
            ),
            Command(
                "add",
                "TABLE RECORD COLUMN [KEY=]VALUE..",
                "database.add_values",
                "*",
                "--if-exists",
                changes=True,
            ),
            Command(
                "remove",
                "TABLE RECORD COLUMN KEY|VALUE|KEY=VALUE..",
                "database.remove_values",
                "*",
                "--if-exists",
                changes=True,
            ),
            Command(
                "clear",
                "TABLE RECORD COLUMN..",
                "database.clear_columns",
                "*",
                "--if-exists",
                changes=True,
            ),
            Command(
                "create",
                "TABLE COLUMN[:KEY]=VALUE..",
                "database.create_row",
                "*",
                "--id=",
                changes=True,
            ),
            Command(
                "destroy",
                "TABLE [RECORD]..",
                "database.destroy_rows",
                "*",
                "--if-exists --all",
                changes=True,
            ),
            Command(
                "wait-until",
                "TABLE RECORD [CONDITION]..",
                "database.wait_until",
                "*",
                "--if-exists",
            ),
            Command("comment", "[WORD]..", "database.comment", "", changes=True),
        ),
    ),
)

COMMANDS = {command.name: command for _, section in SECTIONS for command in section}
