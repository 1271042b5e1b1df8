"""The host half of 'ipsec': one strongSwan charon in the namespace of each container."""

from .half import IpsecHost

__all__ = ["IpsecHost"]
