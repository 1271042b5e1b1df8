"""svc-northd: its options."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import ovs.vlog

from ..lib import dirs, loop, tls_stream
from ..lib.remotes import find_remote_problem
from ..services.api.service_type import load_service_types
from .commands import register_commands
from .northd import Northd
from .service_types import load_halves

vlog = ovs.vlog.Vlog("main")


def main(argv: Sequence[str] | None = None) -> int:
    """The program svc-northd; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="svc-northd", description="compiles SVC_Northbound into SVC_Southbound and into OVN"
    )
    for option, variable, default in (
        ("--svcnb-db", "SVC_NB_DB", dirs.NB_REMOTE),
        ("--svcsb-db", "SVC_SB_DB", dirs.SB_REMOTE),
        ("--ovnnb-db", "OVN_NB_DB", dirs.OVN_NB_REMOTE),
        ("--ovnsb-db", "OVN_SB_DB", dirs.OVN_SB_REMOTE),
    ):
        remote = os.environ.get(variable, default)
        parser.add_argument(option, default=remote, metavar="REMOTE", help=f"default: {remote}")
    parser.add_argument("--check-options", action="store_true", help="look at the options and exit")
    options = loop.parse_options(parser, sys.argv[1:] if argv is None else argv)
    remotes = (options.svcnb_db, options.svcsb_db, options.ovnnb_db, options.ovnsb_db)
    has_keys = tls_stream.find_keys().complete
    problems = (find_remote_problem(each, has_keys=has_keys) for each in remotes)
    problem = next(filter(None, problems), None)
    if problem is not None:
        print(f"svc-northd: {problem}", file=sys.stderr)
        return 1
    if options.check_options:
        return 0

    types, faults = load_service_types()
    halves, more = load_halves(types)

    def make() -> Northd:
        for fault in (*faults, *more):
            vlog.warn(fault)
        northd = Northd(*remotes, halves=halves)
        register_commands(northd)
        return northd

    return loop.serve("svc-northd", options, make)


if __name__ == "__main__":
    sys.exit(main())
