"""Writing: what follows from changes on their way to the databases."""
