"""A body without a Content-Length is limited as any other (interface.md section 6; safety.md S21)."""

import io
from typing import Any

import pytest
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder, run_wsgi_app

from checkout.domain.orders import LONGEST_BODY, MOST_CHARACTERS
from tests.stories.cast import PUBLIC, Merchant, World

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def sends(world: World, path: str, size: int, **headers: str) -> str:
    """As gunicorn hands a chunked request to us."""
    sent = Headers(headers)
    environ: dict[str, Any] = EnvironBuilder(path, base_url=PUBLIC, method="POST", headers=sent).get_environ()
    environ.pop("CONTENT_LENGTH", None)
    environ |= {
        "wsgi.input": io.BytesIO(b"a" * size),
        "wsgi.input_terminated": True,
        "HTTP_TRANSFER_ENCODING": "chunked",
    }
    return run_wsgi_app(world.app, environ)[1]


def test_a_notice(world: World, bo: Merchant) -> None:
    assert sends(world, f"/notify/{bo.told.merchant_id}", 16 * 1024 + 1).startswith("413")


@pytest.mark.parametrize("size", [MOST_CHARACTERS + 1, LONGEST_BODY + 1])
def test_an_order(world: World, bo: Merchant, size: int) -> None:
    key = f"Bearer {bo.told.api_key}"
    sent = {"Authorization": key, "Content-Type": "application/json"}
    assert sends(world, "/v1/checkout-sessions", size, **sent).startswith("413")


def test_a_form(world: World, session: dict[str, Any]) -> None:
    sent = {"Content-Type": "application/x-www-form-urlencoded"}
    assert sends(world, f"/pay/{session['id']}", 4 * 1024 + 1, **sent).startswith("413")
