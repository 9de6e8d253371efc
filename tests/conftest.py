import signal
from pathlib import Path

import pytest
from hypothesis import settings

# Tests send these to commands, which go on ignoring what was ignored when they began (by nohup, or in the
# background of a shell).
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

# No example has a time of its own to keep: machines are shared, and time is measured in benchmarks.
settings.register_profile("trainrun", deadline=None)
settings.load_profile("trainrun")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the project; a user's clone has none."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the folder of real data is not beside the project")
    return SHARED_DATA
