"""Service types: everything about one is in its folder; api/ is their contract with the core."""
