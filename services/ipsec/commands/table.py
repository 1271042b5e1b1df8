"""The type's rows of the table of commands, and its words on its tables.

svcctl imports this file for every command that the core does not know, so it
imports nothing but the contract.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...api.commands import Command, Commands, Meaning, Run, Section, StatusLines, TableWords

_VPN = "VPN_Service? IPsec_Connection? Container_Group?"
_CONN = "VPN_Service? IPsec_Connection? IKE_Policy? IPsec_Policy?"
_SHOW = f"{_CONN} Container_Group? Service_Container? Container_Wish? SVC_Global"
_POLICY = "[COLUMN=VALUE].."
_CONN_OPTIONS = (
    "--psk-file= --psk=* --cert= --peer-id= --local-id= --ike-policy= --ipsec-policy= "
    "--initiator= --mtu= --dpd-action= --dpd-interval= --dpd-timeout= "
    "--force-udp-encapsulation= --enabled="
)

_SERVICES = (
    Command(
        "vpn-add",
        "VPN ROUTER EXTERNAL_IP[,..] LOCAL_SUBNET[,..]",
        "service.add",
        _VPN,
        "--may-exist --mode= --group=",
        changes=True,
    ),
    Command("vpn-del", "VPN", "service.delete", _VPN, "--if-exists", changes=True),
    Command("vpn-show", "VPN", "detail.show_service", _SHOW),
    Command(
        "vpn-list",
        "[NAME]",
        "service.list_all",
        "VPN_Service?! Container_Group?! SVC_Global",
        "--wide",
    ),
)

_CONNECTIONS = (
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
        "[VPN] CONN",
        "connection.set_columns",
        _CONN,
        f"--peer-address= --peer-subnets= {_CONN_OPTIONS}",
        changes=True,
    ),
    Command("conn-del", "[VPN] CONN", "connection.delete", _CONN, "--if-exists", changes=True),
    Command("conn-show", "[VPN] CONN", "detail.show_connection", _SHOW),
    Command(
        "conn-list",
        "[NAME]",
        "connection.list_all",
        "VPN_Service?! IPsec_Connection?! IKE_Policy?! IPsec_Policy?! SVC_Global",
        "--wide",
    ),
    Command(
        "conn-export",
        "[VPN] CONN",
        "export.export",
        f"{_CONN} Service_Container? SVC_Global",
        "--format= --show-secrets",
    ),
)


def _make_policy_commands(noun: str, kind: str, table: str) -> tuple[Command, ...]:
    may_exist, if_exists = "--may-exist", "--if-exists"
    return (
        Command(
            *(f"{noun}-add", f"NAME {_POLICY}", f"policy.add_{kind}", f"{table}?", may_exist),
            changes=True,
        ),
        Command(*(f"{noun}-del", "NAME", f"policy.delete_{kind}", _CONN, if_exists), changes=True),
        Command(f"{noun}-list", "", f"policy.list_{kind}", table),
    )


class IpsecCommands(Commands):
    """What svcctl gets of the ipsec type."""

    package: str = __package__

    sections: Sequence[Section] = (
        (
            "VPN commands",
            (
                *_SERVICES,
                *_CONNECTIONS,
                *_make_policy_commands("ike-policy", "ike", "IKE_Policy"),
                *_make_policy_commands("ipsec-policy", "ipsec", "IPsec_Policy"),
            ),
        ),
    )

    tables: Sequence[TableWords] = (
        TableWords("VPN_Service", "VPN service", statuses="status status_message since"),
        TableWords(
            "IPsec_Connection",
            "connection",
            secrets="psk",
            advice="use conn-set --psk-file",
            statuses="status status_message since",
        ),
        TableWords("IKE_Policy", "IKE policy"),
        TableWords("IPsec_Policy", "IPsec policy"),
    )

    def show(self, run: Run, name: str | None) -> Sequence[str]:
        """Returns the VPN services with their connections, or the one that 'name' means."""
        from .overview import show

        return show(run, name)

    def tell_status(self, run: Run) -> StatusLines:
        """Returns how many services and connections are up, and what is wrong."""
        from .overview import tell_status

        return tell_status(run)

    def find_meanings(self, run: Run, text: str) -> Sequence[Meaning]:
        """Returns the services and connections that 'text' means."""
        from .meaning import find_meanings

        return find_meanings(run, text)


COMMANDS = IpsecCommands()
