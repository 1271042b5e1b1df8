"""The keys for TLS of a chassis: those of the local Open_vSwitch, as ovn-controller has them.

Its row SSL ('ovs-vsctl set-ssl') counts as a whole and before the options, so that a
chassis whose OVN talks TLS needs no others (update_ssl_config() of ovn-controller.c).
"""

from __future__ import annotations

from collections.abc import Iterable

import ovs.vlog

from ..lib import tls_stream
from ..lib.idl import Session
from ..lib.tls import Keys, format_path
from .linux.switch_rows import SSL

vlog = ovs.vlog.Vlog("switch_keys")

_NAMES = ("the local SSL:private_key", "the local SSL:certificate", "the local SSL:ca_cert")


class SwitchKeys:
    """Follows the row; the keys that the process has when this is made are those of the options."""

    def __init__(self) -> None:
        self._options = tls_stream.find_keys()

    def follow(self, session: Session) -> None:
        """Makes the next connections go by the row, or by the options without one."""
        if session.has_rows_to_take(SSL):
            session.take_rows(SSL)
            keys = find_keys(session.rows(SSL).values(), self._options)
            if keys.complete and keys.files != tls_stream.find_keys().files:
                files = map(format_path, keys.files)
                vlog.info("private key {}, certificate {}, CA {}".format(*files))
            tls_stream.use(keys)


def find_keys(rows: Iterable[SSL], options: Keys) -> Keys:
    """Returns the keys that count.  Pure."""
    row = next(iter(rows), None)
    if row is None:
        return options._replace(or_else=", or 'ovs-vsctl set-ssl'")
    return options._replace(
        private_key=row.private_key,
        certificate=row.certificate,
        ca_cert=row.ca_cert,
        bootstrap=row.bootstrap_ca_cert,
        names=_NAMES,
    )
