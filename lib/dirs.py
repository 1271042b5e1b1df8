"""Where files of ovnsvc are; each can be moved by its environment variable, as OVN's."""

from __future__ import annotations

import os

RUNDIR = os.environ.get("SVC_RUNDIR", "/run/ovnsvc")
LOGDIR = os.environ.get("SVC_LOGDIR", "/var/log/ovnsvc")
DBDIR = os.environ.get("SVC_DBDIR", "/var/lib/ovnsvc")
SYSCONFDIR = os.environ.get("SVC_SYSCONFDIR", "/etc/ovnsvc")

OVN_RUNDIR = os.environ.get("OVN_RUNDIR", "/run/ovn")
OVS_RUNDIR = os.environ.get("OVS_RUNDIR", "/run/openvswitch")

NB_REMOTE = f"unix:{RUNDIR}/svcnb_db.sock"
SB_REMOTE = f"unix:{RUNDIR}/svcsb_db.sock"
OVN_NB_REMOTE = f"unix:{OVN_RUNDIR}/ovnnb_db.sock"
OVN_SB_REMOTE = f"unix:{OVN_RUNDIR}/ovnsb_db.sock"
OVS_REMOTE = f"unix:{OVS_RUNDIR}/db.sock"
