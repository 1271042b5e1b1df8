"""What a Container_Group may say: svc-northd goes by it, svcctl asks before it writes."""

from __future__ import annotations

DEFAULT_POLICY = "weighted"
POLICIES = ("least", "load", "random", "weighted")
MOST_STANDBYS = 8
