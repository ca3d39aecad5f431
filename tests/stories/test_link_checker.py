"""The page that checks links: everything about the form of a link, and about its signature only to its own merchant."""

import html

from werkzeug.test import Client

from tests.stories.cast import PUBLIC, Merchant, World
from tests.stories.storefront import link, order, sign
from tests.stories.test_signed_links import APP, KEY, sessions


def test_the_checker_answers_about_a_signature_only_to_the_links_own_merchant(world: World, bo: Merchant) -> None:
    cy = world.merchant("Cy's Coffee")
    bad = link(order(APP), "&" + KEY)

    def says(api_key: str) -> str:
        form = {"link": f"{PUBLIC}/checkstand/#/?{bad}", "api_key": api_key}
        answer = Client(world.app).post("/checkout/check", base_url=PUBLIC, data=form)
        assert answer.status_code == 200
        for secret in (KEY + "<", bo.told.api_key, sign(order(APP), KEY)):
            assert secret not in answer.text
        return html.unescape(answer.text)

    assert "There is an “&” before the key" in says(bo.told.api_key)
    for key in (cy.told.api_key, "sk_guess"):
        assert "This API key does not belong to the appcode" in says(key)
        assert "before the key" not in says(key)
    assert "no API key was given" in says("")
    assert sessions(world) == 0
    told = world.app.test_cli_runner().invoke(args=["link", "check", bo.told.merchant_id, bad])
    assert (told.exit_code, "before the key" in told.output, KEY in told.output) == (1, True, False)
