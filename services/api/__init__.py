"""The contract between the core and a service type; what is here is stable and versioned.

A service type is one object, found by the entry point 'ovnsvc.service_types'
(service_type.py), with three halves that are loaded when they are needed:

compile.py
    for svc-northd: which rows make which container, and what is in it
host.py
    for svc-controller: what the container needs of its host, and its programs
commands.py
    for svcctl: the commands of the type

A type imports this package and 'lib' and nothing else of ours.  A type that was
written for another API is refused in words.
"""

from __future__ import annotations

API = 1

# The first port of a container, inside its namespace.
FIRST_INTERFACE = "svc0"
