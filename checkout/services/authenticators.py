"""The one door to the WebAuthn library: what authenticators are asked, and whether their answer is proof."""

import ipaddress
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

import webauthn
from webauthn.helpers import (
    bytes_to_base64url,
    parse_authentication_credential_json,
    parse_client_data_json,
    parse_registration_credential_json,
)
from webauthn.helpers.structs import (
    AuthenticationCredential,
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    RegistrationCredential,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from checkout.domain.links import origin_of
from checkout.domain.text import plain
from checkout.store.passkeys import Passkey
from checkout.store.people import Person

log = logging.getLogger(__name__)

Found = TypeVar("Found")
NAME = "Sampan"
LONGEST_ID = 1023  # bytes, says WebAuthn
# A PIN, a finger or a face, never the mere presence of the device: so a passkey is two factors in one.
VERIFIED = UserVerificationRequirement.REQUIRED


@dataclass(frozen=True)
class Site:
    """Where passkeys of ours hold: the name that they are bound to, and the only origin whose pages may use them."""

    name: str
    origin: str


@dataclass(frozen=True)
class Answer:
    """What an authenticator answered, as its browser spells it: read, and not believed yet.

    Whether its challenge is one of ours, asked of this browser and never answered before, is not known here.
    """

    credential: RegistrationCredential | AuthenticationCredential = field(repr=False)
    challenge: bytes = field(repr=False)

    @property
    def credential_id(self) -> bytes:
        return self.credential.raw_id

    @property
    def user_handle(self) -> bytes | None:
        """Whom the authenticator says that it speaks for."""
        return getattr(self.credential.response, "user_handle", None)


@dataclass(frozen=True)
class NewKey:
    credential_id: bytes
    public_key: bytes
    uses: int
    transports: list[str]


def site_of(public_url: str) -> Site | None:
    """None: the service has a number for a name, and passkeys are bound to names only."""
    host = urlsplit(public_url).hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return Site(host, origin_of(public_url))
    return None


def ask_for_a_new_one(site: Site, person: Person, known: Sequence[Passkey], challenge: bytes) -> str:
    """What a browser must be told to have a passkey made, as JSON."""
    options = webauthn.generate_registration_options(
        rp_id=site.name,
        rp_name=NAME,
        user_id=person.passkey_handle,
        user_name=person.email,
        challenge=challenge,
        exclude_credentials=_described(known),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=VERIFIED
        ),
    )
    return webauthn.options_to_json(options)


def ask_for_a_known_one(site: Site, known: Sequence[Passkey], challenge: bytes) -> str:
    """The same to have one used; without `known` whichever the person picks, so that nothing says whose are ours."""
    options = webauthn.generate_authentication_options(
        rp_id=site.name, challenge=challenge, allow_credentials=_described(known), user_verification=VERIFIED
    )
    return webauthn.options_to_json(options)


def _described(known: Sequence[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=one.credential_id, transports=[AuthenticatorTransport(word) for word in one.transports] or None
        )
        for one in known
    ]


def read(said: str) -> Answer | None:
    """What a browser sent. None: nothing that an authenticator of a page of ours says."""
    return _or_none(lambda: _read(said))


def _read(said: str) -> Answer:
    asked = json.loads(said)
    new = "attestationObject" in asked["response"]
    read_json: Callable[[Any], RegistrationCredential | AuthenticationCredential] = (
        parse_registration_credential_json if new else parse_authentication_credential_json
    )
    credential = read_json(asked)
    client = parse_client_data_json(credential.response.client_data_json)
    if client.cross_origin:
        raise ValueError("asked for by a page in another site's frame")
    if bytes_to_base64url(credential.raw_id) != credential.id or len(credential.raw_id) > LONGEST_ID:
        raise ValueError("not an id as authenticators give them")
    return Answer(credential, client.challenge)


def new_key(site: Site, answer: Answer) -> NewKey | None:
    """The passkey that was made. None: the answer does not prove that one was, here, by a person who was verified."""

    def verify() -> NewKey:
        credential = answer.credential
        if not isinstance(credential, RegistrationCredential):
            raise TypeError("the answer to another question")
        made = webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=answer.challenge,
            expected_rp_id=site.name,
            expected_origin=site.origin,
            require_user_verification=True,
        )
        if made.credential_id != credential.raw_id:
            raise ValueError("two ids for one passkey")
        transports = sorted({way.value for way in credential.response.transports or ()})
        return NewKey(made.credential_id, made.credential_public_key, made.sign_count, transports)

    return _or_none(verify)


def uses_proven(site: Site, answer: Answer, public_key: bytes) -> int | None:
    """The authenticator's own count of uses, once its signature holds. None: the answer proves nothing.

    Whether the count has risen is the store's question: it knows what happens at the same moment.
    """

    def verify() -> int:
        credential = answer.credential
        if not isinstance(credential, AuthenticationCredential):
            raise TypeError("the answer to another question")
        return webauthn.verify_authentication_response(
            credential=credential,
            expected_challenge=answer.challenge,
            expected_rp_id=site.name,
            expected_origin=site.origin,
            credential_public_key=public_key,
            credential_current_sign_count=0,
            require_user_verification=True,
        ).new_sign_count

    return _or_none(verify)


def _or_none(verify: Callable[[], Found]) -> Found | None:
    """Strangers write what is parsed here: whatever stops the library on its way through it, it is no proof."""
    try:
        return verify()
    except Exception as error:
        log.info("a passkey's answer was refused: %s: %s", type(error).__name__, plain(str(error))[:200])
        return None
