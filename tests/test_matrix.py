"""Who may come where: every address of the back office for everybody who might try, read from the URL map."""

from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import pytest
from werkzeug.routing import Rule

from checkout.domain.link_wishes import LinkWish
from checkout.services.links import make_link
from checkout.store.engine import make_engine
from checkout.store.migrating import upgrade
from checkout.store.models import Merchant as MerchantRow
from checkout.store.passkeys import Passkey
from checkout.store.people import Person
from tests.office.cast import PASSWORD, Clerk
from tests.stories.cast import Merchant, World

IN, AWAY, NO, HIDDEN = "in", "to the sign-in", "not allowed", "not found"
WHO = ("nobody", "shopper", "viewer", "operator", "owner of A", "owner of B")
ANYBODY = dict.fromkeys(WHO, IN)
SIGNED_IN = ANYBODY | {"nobody": AWAY, "shopper": AWAY}
OTHERS = dict.fromkeys(WHO, HIDDEN) | {"nobody": AWAY, "shopper": AWAY}  # somebody else's own thing
SHOP = SIGNED_IN | {"owner of B": HIDDEN}
WORK = SHOP | {"viewer": NO}
OWN = WORK | {"operator": NO}

# What each row means for somebody at shop A's addresses. A new address without a row fails the first test.
# fmt: off
ROWS: dict[tuple[str, str], dict[str, str]] = {
    ("GET",  "/merchant"):                                                   SIGNED_IN,
    ("GET",  "/merchant/sign-in"):                                           ANYBODY,
    ("POST", "/merchant/sign-in"):                                           ANYBODY,
    ("GET",  "/merchant/sign-in/code"):                                      SIGNED_IN,
    ("POST", "/merchant/sign-in/code"):                                      SIGNED_IN,
    ("POST", "/merchant/sign-in/passkey"):                                   ANYBODY,
    ("POST", "/merchant/sign-in/passkey/options"):                           ANYBODY,
    ("POST", "/merchant/sign-out"):                                          SIGNED_IN,
    ("POST", "/merchant/sign-out-everywhere"):                               SIGNED_IN,
    ("GET",  "/merchant/invitation/<token>"):                                dict.fromkeys(WHO, HIDDEN),  # not his
    ("POST", "/merchant/invitation/<token>"):                                dict.fromkeys(WHO, HIDDEN),
    ("POST", "/merchant/invitation/<token>/accept"):                         OTHERS,
    ("GET",  "/merchant/static/<digest>/<name>"):                            dict.fromkeys(WHO, HIDDEN),  # an old one
    ("GET",  "/merchant/me"):                                                SIGNED_IN,
    ("POST", "/merchant/me/password"):                                       SIGNED_IN,
    ("GET",  "/merchant/me/second-factor"):                                  SIGNED_IN,
    ("POST", "/merchant/me/second-factor"):                                  SIGNED_IN,
    ("POST", "/merchant/me/second-factor/start"):                            SIGNED_IN,
    ("POST", "/merchant/me/second-factor/remove"):                           SIGNED_IN,
    ("POST", "/merchant/me/passkeys"):                                       SIGNED_IN,
    ("POST", "/merchant/me/passkeys/options"):                               SIGNED_IN,
    ("POST", "/merchant/me/passkeys/<passkey_id>/remove"):                   OTHERS,
    ("POST", "/merchant/me/proof"):                                          SIGNED_IN,
    ("POST", "/merchant/me/proof/options"):                                  SIGNED_IN,
    ("GET",  "/merchant/<shop_id>/payments"):                                SHOP,
    ("GET",  "/merchant/<shop_id>/payments/<session_id>"):                   SHOP,
    ("POST", "/merchant/<shop_id>/payments/<session_id>/refunds"):           WORK,
    ("POST", "/merchant/<shop_id>/payments/<session_id>/cancel"):            WORK,
    ("GET",  "/merchant/<shop_id>/reviews"):                                 SHOP,
    ("GET",  "/merchant/<shop_id>/reviews/<session_id>"):                    WORK,
    ("POST", "/merchant/<shop_id>/reviews/<session_id>/close"):              WORK,
    ("POST", "/merchant/<shop_id>/reviews/<session_id>/refund"):             WORK,
    ("POST", "/merchant/<shop_id>/reviews/<session_id>/accept"):             WORK,
    ("GET",  "/merchant/<shop_id>/takings"):                                 SHOP,
    ("GET",  "/merchant/<shop_id>/takings/export.csv"):                      SHOP,
    ("GET",  "/merchant/<shop_id>/deliveries"):                              SHOP,
    ("POST", "/merchant/<shop_id>/deliveries/redeliver"):                    WORK,
    ("GET",  "/merchant/<shop_id>/deliveries/<event_id>"):                   SHOP,
    ("POST", "/merchant/<shop_id>/deliveries/<event_id>/redeliver"):         WORK,
    ("GET",  "/merchant/<shop_id>/links"):                                   SHOP,
    ("POST", "/merchant/<shop_id>/links"):                                   WORK,
    ("GET",  "/merchant/<shop_id>/links/new"):                               WORK,
    ("GET",  "/merchant/<shop_id>/links/check"):                             WORK,
    ("POST", "/merchant/<shop_id>/links/check"):                             WORK,
    ("GET",  "/merchant/<shop_id>/links/<link_id>"):                         SHOP,
    ("POST", "/merchant/<shop_id>/links/<link_id>/on"):                      WORK,
    ("POST", "/merchant/<shop_id>/links/<link_id>/off"):                     WORK,
    ("GET",  "/merchant/<shop_id>/settings"):                                WORK,
    ("GET",  "/merchant/<shop_id>/settings/start"):                          OWN,
    ("POST", "/merchant/<shop_id>/settings/start/check"):                    OWN,
    ("POST", "/merchant/<shop_id>/settings/start/credentials"):              OWN,
    ("GET",  "/merchant/<shop_id>/settings/shop"):                           OWN,
    ("POST", "/merchant/<shop_id>/settings/shop"):                           OWN,
    ("GET",  "/merchant/<shop_id>/settings/branding"):                       OWN,
    ("POST", "/merchant/<shop_id>/settings/branding"):                       OWN,
    ("GET",  "/merchant/<shop_id>/settings/branding/preview"):               OWN,
    ("POST", "/merchant/<shop_id>/settings/branding/preview"):               OWN,
    ("POST", "/merchant/<shop_id>/settings/branding/origins"):               OWN,
    ("GET",  "/merchant/<shop_id>/settings/webhooks"):                       OWN,
    ("POST", "/merchant/<shop_id>/settings/webhooks"):                       OWN,
    ("POST", "/merchant/<shop_id>/settings/webhooks/key"):                   OWN,
    ("GET",  "/merchant/<shop_id>/settings/webhooks/<endpoint_id>"):         OWN,
    ("POST", "/merchant/<shop_id>/settings/webhooks/<endpoint_id>"):         OWN,
    ("POST", "/merchant/<shop_id>/settings/webhooks/<endpoint_id>/secret"):  OWN,
    ("POST", "/merchant/<shop_id>/settings/webhooks/<endpoint_id>/on"):      OWN,
    ("POST", "/merchant/<shop_id>/settings/webhooks/<endpoint_id>/off"):     OWN,
    ("POST", "/merchant/<shop_id>/settings/webhooks/<endpoint_id>/test"):    OWN,
    ("POST", "/merchant/<shop_id>/settings/webhooks/<endpoint_id>/delete"):  OWN,
    ("GET",  "/merchant/<shop_id>/settings/api-keys"):                       OWN,
    ("POST", "/merchant/<shop_id>/settings/api-keys"):                       OWN,
    ("POST", "/merchant/<shop_id>/settings/api-keys/<key_id>/revoke"):       OWN,
    ("GET",  "/merchant/<shop_id>/settings/people"):                         OWN,
    ("POST", "/merchant/<shop_id>/settings/people"):                         OWN,
    ("POST", "/merchant/<shop_id>/settings/people/<person_id>/role"):        OWN,
    ("POST", "/merchant/<shop_id>/settings/people/<person_id>/invitation"):  OWN,
    ("POST", "/merchant/<shop_id>/settings/people/<person_id>/invitation/remove"): OWN,
}
# fmt: on

# These end the very sign-in by which the next one would be tried.
ENDS = {"/merchant/sign-out", "/merchant/sign-out-everywhere", "/merchant/me/second-factor/remove"}


class Cast(NamedTuple):
    world: World
    people: dict[str, Clerk]
    names: dict[str, str]


@pytest.fixture(scope="module")
def cast_of_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cast]:
    url = f"sqlite:///{tmp_path_factory.mktemp('matrix') / 'books.db'}"
    engine = make_engine(url)
    upgrade(engine)
    engine.dispose()
    world = World(url, cast(Any, None), {})
    bo, cy = world.merchant("Bo's Tea", webhooks=False), world.merchant("Cy's Cakes", webhooks=False)
    people = {who: Clerk(world, bo, f"{who.partition(' ')[0]}@bo.example") for who in WHO}
    people["owner of B"] = Clerk(world, cy, "owner@cy.example")
    for who in ("viewer", "operator", "owner of A", "owner of B"):
        people[who].is_invited(who.partition(" ")[0])
        people[who].arrives(PASSWORD)
    session = bo.opens()
    people["shopper"].opens(f"/pay/{session['id']}")
    names = things_of(bo) | {
        "shop_id": bo.told.merchant_id,
        "session_id": session["id"],
        "person_id": people["viewer"].row().id,
        "token": "0" * 43,
        "passkey_id": a_passkey_of_somebody_else(world),
        "digest": "0" * 16,
        "name": "office.css",
    }
    yield Cast(world, people, names)
    assert world.violations() == []
    world.close()


def things_of(bo: Merchant) -> dict[str, str]:
    """One of each kind that an address of shop A may name."""
    ended = bo.opens(reference="A-1002")
    bo.api("POST", f"/v1/checkout-sessions/{ended['id']}/cancel")
    events = bo.api("GET", "/v1/events").json or {}
    endpoint = bo.api("POST", "/v1/webhook-endpoints", {"url": "http://127.0.0.1:9/hook"}).json or {}
    keys = bo.api("GET", "/v1/api-keys").json or {}
    joined = bo.world.parts
    with joined.sessions() as db:
        merchant = db.get_one(MerchantRow, bo.told.merchant_id)
        wish = LinkWish(name="Counter", currency="HKD", amount=8800)
        link = make_link(db, joined.terms, merchant, wish, actor="test", now=bo.world.clock())
    return {
        "event_id": events["data"][0]["id"],
        "endpoint_id": endpoint["id"],
        "key_id": keys["data"][0]["id"],
        "link_id": link.id,
    }


def a_passkey_of_somebody_else(world: World) -> str:
    with world.parts.sessions() as db:
        whose = Person(id="pe_else", email="else@bo.example", totp_step=0, created_at=world.clock())
        db.add(whose)
        db.flush()
        kept = Passkey(id="pk_else", person_id=whose.id, credential_id=b"1", public_key=b"2", uses=0, transports=[],
                       name="Phone", created_at=world.clock())  # fmt: skip
        db.add(kept)
        db.commit()
        return kept.id


def addresses(world: World) -> set[tuple[str, str]]:
    rules = [rule for rule in world.app.url_map.iter_rules() if rule.rule.startswith("/merchant")]
    return {(method, rule.rule) for rule in rules for method in _methods(rule)}


def _methods(rule: Rule) -> set[str]:
    return (rule.methods or set()) - {"HEAD", "OPTIONS"}


def test_every_address_of_the_back_office_has_a_row(cast_of_all: Cast) -> None:
    assert addresses(cast_of_all.world) == set(ROWS)


def outcome(clerk: Clerk, method: str, path: str) -> str:
    token = clerk.token() if method == "POST" else ""
    answer = clerk.asks(method, path, data={"csrf_token": token} if method == "POST" else None)
    assert answer.status_code < 500, path
    location = answer.headers.get("Location", "")
    if (answer.status_code == 303 and location.startswith("/merchant/sign-in?")) or location == "/merchant/sign-in":
        return AWAY
    return {403: NO, 404: HIDDEN}.get(answer.status_code, IN)


@pytest.mark.parametrize("who", WHO)
def test_everybody_comes_as_far_as_the_table_says(cast_of_all: Cast, who: str) -> None:
    clerk = cast_of_all.people[who]
    if who not in ("nobody", "shopper"):
        clerk.signs_in()  # whatever ended their last one
    for (method, rule), expected in sorted(ROWS.items(), key=lambda row: row[0][1] in ENDS):
        path = "/".join(cast_of_all.names.get(part.strip("<>"), part) for part in rule.split("/"))
        if rule in ENDS and who not in ("nobody", "shopper"):
            continue  # shown below: it lets in whoever is signed in, and then they are not
        assert outcome(clerk, method, path) == expected[who], (who, method, rule)


@pytest.mark.parametrize("path", sorted(ENDS - {"/merchant/me/second-factor/remove"}))
def test_after_signing_out_the_cookie_opens_nothing(cast_of_all: Cast, path: str) -> None:
    clerk = cast_of_all.people["viewer"]
    clerk.signs_in()
    clerk.sends(path)
    assert outcome(clerk, "GET", clerk.at("/payments")) == AWAY


def test_a_view_that_does_not_say_whom_it_lets_in_lets_in_nobody(cast_of_all: Cast) -> None:
    clerk, views = cast_of_all.people["owner of A"], cast_of_all.world.app.view_functions
    clerk.signs_in()
    marked = views["office.takings.show"]
    try:
        views["office.takings.show"] = lambda: "open to all"
        clerk.opens(clerk.at("/takings"))
        assert clerk.status == 403
    finally:
        views["office.takings.show"] = marked
