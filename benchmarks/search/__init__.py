"""Searches for good settings, by trainrun and by its peers: `python -m benchmarks.search --help`."""
