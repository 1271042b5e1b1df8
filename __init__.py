"""Service containers for OVN."""
