from pathlib import Path

import pytest
from hypothesis import settings

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
