import signal
from pathlib import Path

import pytest
from hypothesis import settings


def heed_signals() -> None:
    """Undo that signals are ignored: commands go on ignoring what was ignored when they began.

    Signals are ignored by nohup, in the background of a shell, and in a process where a command was stopped.
    """
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
        signal.SIGHUP,
        signal.SIGUSR1,
        signal.SIGUSR2,
        signal.SIGXCPU,
    ):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


heed_signals()


@pytest.fixture(autouse=True)
def _heed_signals():
    yield
    heed_signals()


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
