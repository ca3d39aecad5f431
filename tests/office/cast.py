"""People at the back office: a browser that keeps cookies, reads pages and sends the forms that stand in them."""

import html
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pyotp
from werkzeug.test import Client, TestResponse

from checkout.store.people import Person
from tests.stories.cast import DESKTOP, PUBLIC, Merchant, World

PASSWORD = "four quiet boats at noon"
FORM = re.compile(r"<form[^>]*?>.*?</form>", re.DOTALL)


@dataclass
class Clerk:
    """Somebody at a browser. `page` is the last answer."""

    world: World
    shop: Merchant
    email: str
    secret: str = ""
    address: str = "203.0.113.7"
    page: TestResponse | None = None
    client: Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = Client(self.world.app)

    # --- arriving

    def is_invited(self, role: str) -> None:
        """The operator of the service lets them in by the command line."""
        words = ["person", "add", "--email", self.email, "--merchant", self.shop.told.merchant_id, "--role", role]
        told = self.world.app.test_cli_runner().invoke(args=words)
        assert told.exit_code == 0, told.output
        found = re.search(r"https://\S+/merchant/invitation/\S+", told.stdout)
        self.invitation = urlsplit(found[0]).path if found else ""

    def arrives(self, password: str) -> TestResponse:
        self.opens(self.invitation)
        return self.sends(self.invitation, password=password)

    def accepts(self, invitation: str) -> TestResponse:
        """With the account that is signed in."""
        self.opens(invitation)
        return self.sends(f"{invitation}/accept")

    def enrols(self) -> list[str]:
        """Adds an authenticator app; the recovery codes."""
        self.opens("/merchant/me/second-factor")
        self.sends("/merchant/me/second-factor/start")
        self.opens("/merchant/me/second-factor")
        found = re.search(r'<code class="secret">(\w+)</code>', self.text)
        assert found
        self.secret = found[1]
        self.sends("/merchant/me/second-factor", code=self.code())
        return re.findall(r"<li><code>([\w-]+)</code></li>", self.text)

    def code(self) -> str:
        return pyotp.TOTP(self.secret).at(self.world.clock.now)

    def signs_in(self, password: str = PASSWORD) -> TestResponse:
        self.opens("/merchant/sign-in")
        return self.sends("/merchant/sign-in", email=self.email, password=password)

    def signs_out(self) -> TestResponse:
        return self.sends("/merchant/sign-out")

    # --- looking and doing

    def asks(self, method: str, path: str, **options: Any) -> TestResponse:
        headers = {"User-Agent": DESKTOP, "Accept-Language": "en"} | options.pop("headers", {})
        options |= {"base_url": PUBLIC, "environ_base": {"REMOTE_ADDR": self.address}}
        # Buffered: what is done when the answer has been sent is done when it is here.
        self.page = self.client.open(path, method=method, headers=headers, buffered=True, **options)
        return self.page

    def opens(self, path: str) -> str:
        self.asks("GET", path)
        return self.text

    def sends(self, path: str, **fields: Any) -> TestResponse:
        """What a browser sends: the fields of the form that stands on the page, and what was typed."""
        return self.asks("POST", path, data={"csrf_token": self.token(), **self.fields_of(path), **fields})

    def fields_of(self, path: str) -> dict[str, str]:
        """The fields of the last page's form for this address, as they were filled in by the server."""
        for form in FORM.findall(self.text):
            if f'action="{path}"' in form.partition(">")[0]:
                pairs = re.findall(r'<input[^>]*?name="(\w+)"[^>]*?value="([^"]*)"', form)
                return {name: html.unescape(value) for name, value in pairs}
        return {}

    def token(self) -> str:
        """The CSRF token of the page on the screen, or of any page of ours."""
        if 'name="csrf_token"' not in self.text:
            self.opens("/merchant/me")
            if self.page and self.page.status_code == 303:
                self.opens(str(self.page.location))
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.text)
        return found[1] if found else ""

    @property
    def text(self) -> str:
        return self.page.text if self.page else ""

    @property
    def status(self) -> int:
        assert self.page
        return self.page.status_code

    def sees(self) -> str:
        """The page's words, without markup."""
        body = self.text.partition("<body")[2]
        return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())

    def at(self, path: str = "") -> str:
        """An address of the shop's."""
        return f"/merchant/{self.shop.told.merchant_id}{path}"

    def row(self) -> Person:
        with self.world.parts.sessions() as db:
            return db.query(Person).where(Person.email == self.email).one()


def pays(world: World, session: dict[str, Any], wallet: str = "alipay_hk") -> dict[str, Any]:
    """Ada pays, and the books know it."""
    world.shopper(session).picks(wallet)
    world.pays(session)
    world.passes(5)
    return session
