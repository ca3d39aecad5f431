"""Which client speaks for which merchant. The client key is opened here and goes no further."""

from collections.abc import Sequence
from typing import Protocol
from urllib.parse import urlsplit

from checkout.domain.links import is_loopback, origin_of
from checkout.domain.vault import Vault
from checkout.gateway.client import Credentials, Gateway
from checkout.gateway.links import LinkPolicy
from checkout.gateway.transport import Transport

CLIENT_KEY = "client_key"


class Account(Protocol):
    """As much of a merchant as its gateway needs."""

    @property
    def app_code(self) -> str: ...
    @property
    def client_key_sealed(self) -> bytes: ...
    @property
    def base_url(self) -> str: ...
    @property
    def mchid(self) -> str | None: ...
    @property
    def sign_type(self) -> str: ...

    def owner(self, secret: str) -> str: ...


class Gateways:
    """Clients for all merchants over one pool of connections."""

    def __init__(
        self,
        vault: Vault,
        transport: Transport,
        *,
        pay_url_hosts: Sequence[str],
        sandbox_url: str | None,
        loopback: bool,
        strict_signatures: bool = False,
    ) -> None:
        self.vault = vault
        self._transport = transport
        self._hosts = tuple(pay_url_hosts)
        self._sandbox = (sandbox_url,) if sandbox_url else ()
        self._loopback = loopback
        self._strict = strict_signatures

    def of(self, merchant: Account) -> Gateway:
        """The client that speaks for this merchant. Raises CannotOpen when SECRET_KEY was changed."""
        key = self.vault.open(merchant.client_key_sealed, owner=merchant.owner(CLIENT_KEY)).decode()
        credentials = Credentials(
            app_code=merchant.app_code,
            client_key=key,
            base_url=merchant.base_url,
            mchid=merchant.mchid,
            sign_type="md5" if merchant.sign_type == "md5" else "sha256",
        )
        return Gateway(credentials, self._transport, self.links_of(merchant.base_url), strict_signatures=self._strict)

    def links_of(self, base_url: str) -> LinkPolicy:
        """Where shoppers may be sent to pay; in development, to a loopback gateway's own wallet too."""
        here = self._loopback and is_loopback(urlsplit(base_url).hostname or "")
        own = (origin_of(base_url) + "/",) if here else ()
        return LinkPolicy(self._hosts, self._sandbox + own)

    def seal_key(self, merchant_id: str, client_key: str) -> bytes:
        return self.vault.seal(client_key.encode(), owner=f"merchant/{merchant_id}/{CLIENT_KEY}")
