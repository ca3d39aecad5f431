"""People at the back office with a device in their hand: what the page's script asks and sends for them."""

from typing import Any

from sqlalchemy import select

from checkout.store.oversight import AuditEntry
from tests.office.authenticator import Authenticator, Lie
from tests.office.cast import Clerk
from tests.stories.cast import World

SIGN_IN, ME = "/merchant/sign-in/passkey", "/merchant/me/passkeys"
GARBAGE = ["", "{}", "[]", "null", "7", "{", '{"response": {}}', '{"response": {"attestationObject": 7}}', "[" * 900]


def is_in(clerk: Clerk) -> bool:
    clerk.opens(clerk.at("/payments"))
    return clerk.status == 200


def asked(clerk: Clerk, path: str, **fields: str) -> dict[str, Any]:
    """What the script is told. The clerk stays on the page."""
    stays = clerk.page
    token = clerk.token()
    told = clerk.asks("POST", path, data={"csrf_token": token, **fields})
    clerk.page = stays if stays and "csrf_token" in stays.text else clerk.page
    assert told.is_json, told.text
    return {"status": told.status_code, **(told.json or {})}


def adds(clerk: Clerk, device: Authenticator, name: str = "Blue laptop", lie: Lie | None = None) -> int:
    clerk.opens("/merchant/me")
    options = asked(clerk, f"{ME}/options", name=name)
    return clerk.sends(ME, name=name, credential=device.makes(options, lie)).status_code


def touches(clerk: Clerk, device: Authenticator, lie: Lie | None = None, **fields: str) -> int:
    """At the sign-in page: asks for the passkey, and sends what the device answers."""
    clerk.opens("/merchant/sign-in")
    options = asked(clerk, f"{SIGN_IN}/options")
    return clerk.sends(SIGN_IN, credential=device.uses(options, lie), **fields).status_code


def proves(clerk: Clerk, device: Authenticator, lie: Lie | None = None) -> dict[str, Any]:
    options = asked(clerk, "/merchant/me/proof/options")
    return asked(clerk, "/merchant/me/proof", credential=device.uses(options, lie))


def written(world: World) -> list[str]:
    with world.parts.sessions() as db:
        return list(db.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))
