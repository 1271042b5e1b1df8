"""svc-controller: options, and the loop that ties the parts together.

    local Open_vSwitch --identity--> which southbound, which chassis
    southbound rows ----desired----> containers --reconcile--> host
    host, services  ----status-----> southbound rows

Nothing on the host is changed before both databases are in sync.  While the
southbound cannot be reached, what was last read of it is kept true.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence

import ovs.vlog

from ..lib import dirs, loop, tls_stream
from ..lib.errors import HostError, UsageError
from ..lib.remotes import find_remote_problem
from ..services.api.host import HostHalf
from ..services.api.service_type import load_host_halves
from . import chassis_key, commands
from .controller import Controller
from .kept_names import KeptNames, read_host
from .linux import host as linux_host
from .linux.events import HostEvents

vlog = ovs.vlog.Vlog("main")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs svc-controller; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="svc-controller", description="Runs service containers on this chassis."
    )
    parser.add_argument(
        "database",
        nargs="?",
        default=dirs.OVS_REMOTE,
        metavar="OVS-DATABASE",
        help="the local Open_vSwitch database (default: %(default)s)",
    )
    types, problems = load_host_halves()
    options = loop.parse_options(parser, sys.argv[1:] if argv is None else argv)
    problem = find_remote_problem(options.database, has_keys=tls_stream.find_keys().complete)
    if problem is not None:
        print(f"svc-controller: {problem}", file=sys.stderr)
        return 1
    for problem in problems:
        vlog.err(problem)
    try:
        return loop.serve("svc-controller", options, lambda: _make(options.database, types))
    except (HostError, UsageError) as error:
        print(f"svc-controller: {error}", file=sys.stderr)
        return 1


def _make(database: str, types: Mapping[str, HostHalf]) -> Controller:
    key = chassis_key.load_private_key()
    names = KeptNames(dirs.SYSCONFDIR, read_host())
    program = Controller(database, types, key, linux_host.make_host, HostEvents(), names)
    commands.register(program)
    return program
