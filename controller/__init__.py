"""svc-controller: makes this chassis what the southbound says it should be."""
