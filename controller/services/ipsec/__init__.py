"""The service type 'ipsec': one strongSwan charon in the namespace of each container."""

from .service_type import IpsecService

__all__ = ["IpsecService"]
