"""Optional parts, found by name and never imported by the core."""
