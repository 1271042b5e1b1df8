"""A whole OVN cloud on one Linux machine, for demo, tests and trying things.

Tests use it as `from ..utilities.lab import cloud`; `svc-lab` is a thin command on top.  It needs
root and Debian's packages (`utilities/install --lab`), no kernel module, and nothing of ours but
the daemons that it starts.
"""
