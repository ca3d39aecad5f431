"""The addresses: those of the published interface and no others, and no GET that changes what it should only show."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import event
from werkzeug.test import Client, EnvironBuilder

from app import create_app
from checkout.store.engine import make_engine
from checkout.store.migrating import upgrade
from config import Config
from sandbox.notifier import Notifier
from tests.stories.cast import PUBLIC, Merchant, Shopper, World

# The interface as merchants, wallets and platforms know it, and what each GET may write. A GET is fetched by link
# previews, prefetchers and the Back button, so it never touches money: at most it says that somebody is looking.
USED = {"api_key"}  # once an hour: that this key is in use
# fmt: off
GETS: dict[str, set[str]] = {
    # A sign of life: somebody watches, so ask the gateway at the lively pace. The page, for those without scripts.
    "/pay/<>":                   {"attempt"},
    "/pay/<>/status":            {"attempt"},
    "/pay/<>/return":            {"attempt"},  # makes an enquiry due
    "/pay/<>/return/<>":         {"attempt"},  # the same, in the language that was chosen
    "/pay/<>/receipt":           set(),
    "/pay/<>/elsewhere":         set(),        # the page's own address as a code
    "/pay/<>/code.png":          set(),        # the payment's code as a picture to save
    "/checkout":                 {"session", "signed_link"},  # its signature is the consent to open one
    "/checkstand/":              {"session", "signed_link"},
    "/checkout/check":           set(),
    "/l/<>":                     set(),        # its button opens a session; looking opens none
    "/l/<>/poster":              set(),
    "/embed.js":                 set(),
    "/accessibility":            set(),
    "/q/<>":                     set(),        # one code for all wallets: its form picks one, looking picks none
    # A sealed state that works once makes it more than a look; whoever has none changes nothing (decisions/0017).
    "/alipay/callback":          set(),
    "/v1/checkout-sessions":     USED,
    "/v1/checkout-sessions/<>":  USED,
    "/v1/refunds":               USED,
    "/v1/refunds/<>":            USED,
    "/docs":                     set(),
    "/v1/events":               USED,
    "/v1/events/<>":            USED,
    "/v1/webhook-endpoints":    USED,
    "/v1/webhook-endpoints/<>": USED,
    "/v1/api-keys":             USED,
    "/.well-known/webhook-keys/<>.json": set(),
    "/v1/openapi.json":          set(),
    # The back office: a sign of life of whoever is signed in, once a minute.
    "/merchant":                                 {"sign_in"},
    "/merchant/sign-in":                         {"sign_in"},
    "/merchant/sign-in/code":                    {"sign_in"},
    "/merchant/invitation/<>":                   {"sign_in"},
    "/merchant/me":                              {"sign_in"},
    "/merchant/me/second-factor":                {"sign_in"},
    "/merchant/static/<>/<>":                    set(),
    "/merchant/<>/payments":                     {"sign_in"},
    "/merchant/<>/payments/<>":                  {"sign_in"},
    "/merchant/<>/reviews":                      {"sign_in"},
    "/merchant/<>/reviews/<>":                   {"sign_in"},
    "/merchant/<>/takings":                      {"sign_in"},
    "/merchant/<>/takings/export.csv":           {"sign_in"},
    "/merchant/<>/settings":                     {"sign_in"},
    "/merchant/<>/settings/people":              {"sign_in"},
    "/merchant/<>/deliveries":                   {"sign_in"},
    "/merchant/<>/deliveries/<>":                {"sign_in"},
    "/merchant/<>/links":                        {"sign_in"},
    "/merchant/<>/links/new":                    {"sign_in"},
    "/merchant/<>/links/check":                  {"sign_in"},
    "/merchant/<>/links/<>":                     {"sign_in"},
    "/merchant/<>/settings/start":               {"sign_in"},
    "/merchant/<>/settings/shop":                {"sign_in"},
    "/merchant/<>/settings/branding":            {"sign_in"},
    "/merchant/<>/settings/branding/preview":    {"sign_in"},
    "/merchant/<>/settings/webhooks":            {"sign_in"},
    "/merchant/<>/settings/webhooks/<>":         {"sign_in"},
    "/merchant/<>/settings/api-keys":            {"sign_in"},
    "/healthz":                  set(),
    "/readyz":                   set(),
    "/metrics":                  set(),
    "/static/<>":                set(),        # Flask's own; the pages need nothing from it
}
POSTS = {
    "/pay/<>",
    "/pay/<>/check",
    "/pay/<>/cancel",
    "/v1/checkout-sessions",
    "/v1/checkout-sessions/<>/cancel",
    "/v1/checkout-sessions/<>/refunds",
    "/v1/events/<>/redeliver",
    "/v1/events/redeliver",
    "/v1/webhook-endpoints",
    "/v1/webhook-endpoints/<>/rotate-secret",
    "/v1/webhook-endpoints/<>/enable",
    "/v1/webhook-endpoints/<>/test",
    "/v1/webhook-keys/rotate",
    "/v1/api-keys",
    "/merchant/sign-in",
    "/merchant/sign-in/code",
    "/merchant/sign-in/passkey",
    "/merchant/sign-in/passkey/options",
    "/merchant/sign-out",
    "/merchant/sign-out-everywhere",
    "/merchant/invitation/<>",
    "/merchant/invitation/<>/accept",
    "/merchant/me/password",
    "/merchant/me/second-factor",
    "/merchant/me/second-factor/start",
    "/merchant/me/second-factor/remove",
    "/merchant/me/passkeys",
    "/merchant/me/passkeys/options",
    "/merchant/me/passkeys/<>/remove",
    "/merchant/me/proof",
    "/merchant/me/proof/options",
    "/merchant/<>/payments/<>/refunds",
    "/merchant/<>/payments/<>/cancel",
    "/merchant/<>/reviews/<>/close",
    "/merchant/<>/reviews/<>/refund",
    "/merchant/<>/reviews/<>/accept",
    "/merchant/<>/settings/people",
    "/merchant/<>/settings/people/<>/role",
    "/merchant/<>/deliveries/redeliver",
    "/merchant/<>/deliveries/<>/redeliver",
    "/merchant/<>/links",
    "/merchant/<>/links/check",
    "/merchant/<>/links/<>/on",
    "/merchant/<>/links/<>/off",
    "/merchant/<>/settings/start/check",
    "/merchant/<>/settings/start/credentials",
    "/merchant/<>/settings/shop",
    "/merchant/<>/settings/branding",
    "/merchant/<>/settings/branding/preview",
    "/merchant/<>/settings/branding/origins",
    "/merchant/<>/settings/webhooks",
    "/merchant/<>/settings/webhooks/<>",
    "/merchant/<>/settings/webhooks/key",
    "/merchant/<>/settings/webhooks/<>/secret",
    "/merchant/<>/settings/webhooks/<>/on",
    "/merchant/<>/settings/webhooks/<>/off",
    "/merchant/<>/settings/webhooks/<>/test",
    "/merchant/<>/settings/webhooks/<>/delete",
    "/merchant/<>/settings/api-keys",
    "/merchant/<>/settings/api-keys/<>/revoke",
    "/merchant/<>/settings/people/<>/invitation",
    "/merchant/<>/settings/people/<>/invitation/remove",
    "/notify/<>",
    "/checkout",
    "/checkout/check",
    "/checkstand/",
    "/l/<>",
}
PATCHES = {"/v1/webhook-endpoints/<>"}
DELETES = {"/v1/webhook-endpoints/<>", "/v1/api-keys/<>"}
# fmt: on


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    url = f"sqlite:///{tmp_path_factory.mktemp('routes') / 'books.db'}"
    engine = make_engine(url)
    upgrade(engine)
    engine.dispose()
    made = World(url, cast(Any, None), {})  # no webhooks, so no server to hear them
    yield made
    made.close()


@pytest.fixture(scope="module")
def bo(world: World) -> Merchant:
    return world.merchant("Bo's Tea", webhooks=False)


@pytest.fixture(scope="module")
def ada(world: World, bo: Merchant) -> Shopper:
    """Ada, with a code on her screen."""
    shopper = world.shopper(bo.opens())
    assert shopper.picks("alipay_hk").status_code == 303
    return shopper


@pytest.fixture
def written(world: World) -> Iterator[set[str]]:
    """The tables that were written while the test ran."""
    tables: set[str] = set()

    def note(_c: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if changed := re.match(r"\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+\"?(\w+)", statement):
            tables.add(changed[1])

    event.listen(world.parts.engine, "before_cursor_execute", note)
    yield tables
    event.remove(world.parts.engine, "before_cursor_execute", note)


def rules(world: World, method: str) -> set[str]:
    found = (rule for rule in world.app.url_map.iter_rules() if method in (rule.methods or ()))
    return {re.sub(r"<[^>]*>", "<>", rule.rule) for rule in found}


def test_every_address_stands_in_the_interface(world: World) -> None:
    assert rules(world, "GET") <= set(GETS)
    assert rules(world, "POST") <= POSTS
    assert rules(world, "PATCH") <= PATCHES
    assert rules(world, "DELETE") <= DELETES


def test_there_are_no_other_verbs(world: World) -> None:
    verbs = set().union(*(rule.methods or () for rule in world.app.url_map.iter_rules()))
    assert verbs == {"GET", "HEAD", "OPTIONS", "POST", "PATCH", "DELETE"}


def test_a_get_writes_only_what_the_table_says(world: World, bo: Merchant, ada: Shopper, written: set[str]) -> None:
    for rule in sorted(rules(world, "GET")):
        written.clear()
        answer = bo.api("GET", rule.replace("<>", ada.path.rpartition("/")[2]))
        assert answer.status_code < 500, rule
        assert written <= GETS[rule], rule


def test_no_address_leads_on_by_the_scheme_and_host_of_the_request(world: World) -> None:
    """Behind a proxy that is not counted every request seems to come by http."""
    client, led = Client(world.app, use_cookies=False), set()
    for rule in sorted(rules(world, "GET")):
        path = rule.replace("<>", "x")
        for asked in (path.rstrip("/"), f"{path}/", "/" + path[1:].replace("/", "//")):
            environ = EnvironBuilder(base_url="http://pay.sampan.example", query_string="a=%2F&b").get_environ()
            answer = client.open(environ | {"PATH_INFO": asked})
            if answer.status_code in (301, 302, 307, 308):
                led.add(answer.headers["Location"])
    assert f"{PUBLIC}/checkout/check?a=%2F&b" in led
    assert not [url for url in led if not url.startswith(f"{PUBLIC}/")]


@pytest.mark.parametrize("end", ["", "/"])
def test_the_checkstand_is_the_same_with_and_without_its_slash(world: World, end: str) -> None:
    client = Client(world.app, use_cookies=False)
    page = client.get(f"/checkstand{end}", base_url=PUBLIC)
    assert (page.status_code, 'action="/checkstand/"' in page.text) == (200, True)
    assert client.get(f"/checkstand{end}?appcode=X&sign=1", base_url=PUBLIC).status_code == 400
    assert client.post(f"/checkstand{end}", data={"link": "x"}, base_url=PUBLIC).status_code == 400


def test_a_page_that_is_watched_says_so_and_a_returning_shopper_asks(ada: Shopper, written: set[str]) -> None:
    """The recorder of the test above does see what is written."""
    ada.world.clock.now = ada.world.clock.now.replace(minute=30)
    ada.polls()
    assert written == {"attempt"}
    written.clear()
    ada.comes_back()
    assert written == {"attempt"}


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_other_verbs_are_answered_with_those_that_are_allowed(ada: Shopper, method: str) -> None:
    answer = ada.asks(method, ada.path)
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


def test_the_guide_for_merchants_names_no_other_address() -> None:
    guide = (Path(__file__).parents[1] / "docs" / "integrate.md").read_text("utf-8")
    named = {re.sub(r"/(?:<\w+>|\$\w+)", "/<>", path) for path in re.findall(r"/v1/[\w/<>$-]+(?:\.json)?", guide)}
    assert named
    assert named <= set(GETS) | POSTS | DELETES


@pytest.mark.parametrize("address", ["/demo", "/sandbox"])
def test_what_stands_beside_us_leads_to_our_own_name_whatever_it_was_asked_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setattr(Notifier, "begin", lambda _: None)
    beside = {"SANDBOX": "1", "SANDBOX_LEDGER": f"{tmp_path}/ledger.db"}
    beside |= {"DEMO_SHOP": "1", "DEMO_STATE": f"{tmp_path}/demo.db"}
    env = {"SECRET_KEY": "s" * 40, "DATABASE_URL": f"sqlite:///{tmp_path}/books.db", "PUBLIC_URL": PUBLIC}
    answer = Client(create_app(Config.from_env(env | beside))).get(address, base_url="http://evil.example")
    assert answer.headers["Location"] == f"{PUBLIC}{address}/"
    assert "evil" not in answer.text
