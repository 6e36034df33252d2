"""Fixtures: a server for the whole session, of each kind."""
import pytest

from api_server import KINDS, running


@pytest.fixture(scope="session", params=KINDS)
def server(request):
    with running(request.param) as started:
        yield started


@pytest.fixture(scope="session")
def fake():
    with running("fake") as started:
        yield started
