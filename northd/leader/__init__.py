"""Which svc-northd is the active one."""
