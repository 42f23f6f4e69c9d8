import pytest
from made_up import Made, make


@pytest.fixture(scope="session")
def made() -> Made:
    return make()
