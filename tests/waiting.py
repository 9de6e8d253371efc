"""Waiting for what other processes do."""

import time
from collections.abc import Callable


def wait_until(there: Callable[[], object], what: str, seconds: float = 30) -> None:
    """Wait for something that must come."""
    deadline = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.1)
