"""One deployment for all who integrate with it, in one test process."""

from collections.abc import Iterator

import pytest

from tests.integrations.cast import Market


# Before xdist reads the groups: the deployment is dear, so one worker has it.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "market" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("integrations"))


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    with Market(tmp_path_factory.mktemp("market")) as running:
        yield running
        assert running.violations() == []
