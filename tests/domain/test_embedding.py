"""Who may embed is an exact origin: what stands in the policy means no more than itself."""

import pytest

from checkout.domain.embedding import problem_with_embed_origin


@pytest.mark.parametrize("origin", ["https://shop.example", "https://shop.example:8443", "https://xn--fiq228c.example"])
def test_an_origin_is_taken(origin: str) -> None:
    assert problem_with_embed_origin(origin, http_allowed=False) is None


@pytest.mark.parametrize(
    "origin",
    [
        "*", "https://*", "https://*.shop.example", "https://shop.example/", "https://shop.example/checkout", "https:",
        "https://shop.example;", "https://shop.example; script-src *", "https://shop.example 'self'", "'self'", "null",
        "https://shop.example,https://evil.example", "https://Shop.example", "http://shop.example", "data:", "",
        "https://user@shop.example", "https://shop.example?x", "https://shop.example#x", "https://127.0.0.1",
    ],
)  # fmt: skip
def test_anything_wider_or_stranger_is_refused(origin: str) -> None:
    assert problem_with_embed_origin(origin, http_allowed=False)


def test_this_machine_may_embed_in_development() -> None:
    assert problem_with_embed_origin("http://127.0.0.1:8108", http_allowed=True) is None
