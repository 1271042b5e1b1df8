"""Programs of containers: one Service for each, and those that the core supervises."""
