"""The options of a daemon for TLS, which are those of every daemon of Open vSwitch."""

from __future__ import annotations

import argparse
import os

from .errors import UsageError
from .tls import NO_CA, OPTIONS, Keys, check_ciphers, parse_protocols

_BOOTSTRAP = "--bootstrap-ca-cert"


class _Authority(argparse.Action):
    """Takes --ca-cert or --bootstrap-ca-cert: the last of them counts."""

    def __call__(self, _parser, options, value, option=None):  # type: ignore[no-untyped-def]
        options.ca_cert, options.bootstrap_ca_cert = value, option == _BOOTSTRAP


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    group = parser.add_argument_group(title="PKI Options")
    group.add_argument("-p", "--private-key", metavar="FILE", help="private key, in PEM")
    group.add_argument("-c", "--certificate", metavar="FILE", help="certificate of that key")
    group.add_argument(
        *("-C", "--ca-cert"),
        action=_Authority,
        metavar="FILE",
        help=f"certificate of the CA of the servers; {NO_CA} believes everybody",
    )
    group.add_argument(
        _BOOTSTRAP,
        action=_Authority,
        default=False,
        metavar="FILE",
        help="as --ca-cert, but taken from the first server if FILE is not there",
    )
    group.add_argument("--ssl-protocols", metavar="LIST", help="versions of TLS to speak")
    group.add_argument("--ssl-ciphers", metavar="LIST", help="see openssl-ciphers(1)")


def make_keys(options: argparse.Namespace) -> Keys:
    """Returns the keys that 'options' ask for; raises UsageError for a value that cannot be."""
    given = {
        OPTIONS[0]: options.private_key,
        OPTIONS[1]: options.certificate,
        _BOOTSTRAP if options.bootstrap_ca_cert else OPTIONS[2]: options.ca_cert,
    }
    for option, value in given.items():
        if value == "" or (value is not None and "\0" in value):
            raise UsageError(f"{option}: {value!a} is not the name of a file")
    protocols = options.ssl_protocols
    if options.ssl_ciphers is not None:
        check_ciphers(options.ssl_ciphers)
    names, files = list(given), [_find_path(each) for each in given.values()]
    return Keys(
        files[0],
        files[1],
        files[2],
        bootstrap=options.bootstrap_ca_cert,
        protocols=parse_protocols(protocols) if protocols is not None else (),
        ciphers=options.ssl_ciphers or "",
        names=(names[0], names[1], names[2]),
    )


def _find_path(value: str | None) -> str:
    # A daemon that detaches changes its directory.
    return value if value == NO_CA else os.path.abspath(value) if value else ""
