"""TLS for ssl: remotes, with the options that every program of Open vSwitch has for it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from ...lib.errors import HostError, UsageError

if TYPE_CHECKING:
    from ...lib.tls_attempt import Attempt


class Tls:
    """The files that a connection to an ssl: remote needs.

    The certificate of the CA is that of 'ca_cert', of which "none" believes everybody;
    or that of 'bootstrap', which is made from what the first server sends.
    """

    __slots__ = ("bootstrap", "ca_cert", "certificate", "ciphers", "private_key", "protocols")

    def __init__(
        self,
        private_key: str | None = None,
        certificate: str | None = None,
        ca_cert: str | None = None,
        bootstrap: str | None = None,
        protocols: str | None = None,
        ciphers: str | None = None,
    ) -> None:
        self.private_key = private_key
        self.certificate = certificate
        self.ca_cert = ca_cert
        self.bootstrap = bootstrap
        self.protocols = protocols
        self.ciphers = ciphers

    def begin(self, remote: str) -> Attempt:
        """Returns what a connection begins with; raises UsageError for files that are wrong."""
        # Most commands need no TLS, and what it needs takes a while to import.
        from ...lib import tls
        from ...lib.tls_attempt import Attempt

        if not (self.private_key and self.certificate and (self.ca_cert or self.bootstrap)):
            raise UsageError(f"{remote}: --private-key, --certificate and --ca-cert are required")
        if self.ciphers:
            tls.check_ciphers(self.ciphers)
        names = tls.OPTIONS
        keys = tls.Keys(
            self.private_key,
            self.certificate,
            self.bootstrap or self.ca_cert or "",
            bootstrap=bool(self.bootstrap),
            protocols=tls.parse_protocols(self.protocols) if self.protocols else (),
            ciphers=self.ciphers or "",
            names=(names[0], names[1], "--bootstrap-ca-cert" if self.bootstrap else names[2]),
        )
        try:
            return Attempt(keys)
        except HostError as error:
            raise UsageError(str(error)) from None


def wrap(plain: socket.socket, attempt: Attempt, remote: str) -> socket.socket:
    """Returns 'plain' under TLS; as in OVS the CA alone says who may answer.

    That a first server may answer is believed once, as by ovn-nbctl.
    """
    from ...lib.tls import keep_ca

    is_first = attempt.keys.is_first
    connection = attempt.context.wrap_socket(plain)
    attempt.forget_server()
    if is_first:
        try:
            keep_ca(connection, attempt.keys)
        except HostError as error:
            connection.close()
            raise UsageError(f"{remote}: {error}") from None
    return connection
