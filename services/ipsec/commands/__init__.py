"""The commands half of the ipsec type: vpn-*, conn-*, ike-policy-*, ipsec-policy-*."""

from __future__ import annotations

from .table import COMMANDS

__all__ = ["COMMANDS"]
