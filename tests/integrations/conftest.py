"""One deployment for all who integrate with it, in one test process."""

from collections.abc import Iterator

import pytest

from tests.integrations.cast import Market


@pytest.fixture(scope="package")  # not longer: its workers go on looking for work
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    with Market(tmp_path_factory.mktemp("market")) as running:
        yield running
        assert running.violations() == []
