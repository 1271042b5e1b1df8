"""Service types: what svc-controller can run in a container's namespace."""
