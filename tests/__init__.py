"""A package, so that pytest puts the folder above in front of the path: here, `trace_cli` are tests."""
