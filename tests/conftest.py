from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the project; a user's clone has none."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the folder of real data is not beside the project")
    return SHARED_DATA
