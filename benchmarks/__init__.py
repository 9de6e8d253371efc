"""The same work done by trainrun and by its peers, and how long each takes: `python -m benchmarks`."""
