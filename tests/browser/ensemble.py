"""The whole product in processes of its own: gunicorn with worker, sandbox and demo shop, over real HTTP."""

import base64
import json
import secrets
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.servers import LOOPBACK, REPOSITORY, Process, free_port, wait_until

API_KEY = "sk_" + secrets.token_urlsafe(32)
APP_CODE = "SANDBOX" + secrets.token_hex(12).upper()
CLIENT_KEY = secrets.token_hex(16)
WEBHOOK_SECRET = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
SHOP = "Lantern Street Tea"
ALIPAY_APP = "2021003100000001"
REFUSED = 555_12  # amounts that the sandbox takes as a request for trouble
BROKEN = 555_15
SLOW = 555_03


def alipay_key() -> str:
    """The shop's app has one of its own at the sandbox's Alipay."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


class Ensemble:
    """One deployment with a data folder of its own; what is known about it comes over HTTP only."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self._database = folder / "sampan.db"
        self.url = f"http://{LOOPBACK}:{port}"
        self._keys: dict[str, str] = {}
        self._merchants: dict[str, str] = {}
        self._http = requests.Session()
        self._http.trust_env = False
        self._http.headers["Connection"] = "close"  # a kept one may end just when it is used again
        self._env = {
            "PORT": str(port),
            "HOST": LOOPBACK,
            "PUBLIC_URL": self.url,
            "SECRET_KEY": secrets.token_hex(32),
            "DATABASE_URL": f"sqlite:///{self._database}",
            "SANDBOX": "1",
            "SANDBOX_LEDGER": f"{folder}/sandbox.db",
            "SANDBOX_REFUND_PAUSE": "0",  # as in tests/awake.py
            "DEMO_SHOP": "1",
            "DEMO_STATE": f"{folder}/demo_shop.db",
            "WEB_CONCURRENCY": "2",
            "QFPAY_APP_CODE": APP_CODE,
            "QFPAY_CLIENT_KEY": CLIENT_KEY,
            "QFPAY_BASE_URL": f"{self.url}/sandbox",
            "MERCHANT_NAME": SHOP,
            "MERCHANT_API_KEY": API_KEY,
            "MERCHANT_WEBHOOK_URL": f"{self.url}/demo/webhook",
            "MERCHANT_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "DEMO_API_KEY": API_KEY,
            "DEMO_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "ALIPAY_APP_ID": ALIPAY_APP,
            "ALIPAY_PRIVATE_KEY": alipay_key(),
            "ALIPAY_AUTH_URL": f"{self.url}/sandbox/alipay/authorize",
            "ALIPAY_GATEWAY_URL": f"{self.url}/sandbox/alipay/gateway.do",
        }

    def __enter__(self) -> Self:
        self._flask("db", "upgrade")
        self._web = Process([sys.executable, "-m", "gunicorn", "tests.awake:create_app()"], self._env)
        self._web.wait_for(f"{self.url}/readyz", 40)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()
        self._web.__exit__(kind, error, trace)

    def add_merchant(self, *options: str) -> str:
        """Bo's second shop, with options of its own; returns its API key."""
        account = ["--app-code", APP_CODE, "--client-key", CLIENT_KEY, "--base-url", f"{self.url}/sandbox"]
        told = json.loads(self._flask("merchant", "add", "--json", "--name", SHOP, *account, *options))
        self._merchants[told["api_key"]] = told["merchant_id"]
        return str(told["api_key"])

    def changes(self, api_key: str, *command: str) -> None:
        """The operator changes a shop that was added: `brand`, or `embed-origin add` with an origin."""
        at = 2 if command[0] == "embed-origin" else 1
        self._flask("merchant", *command[:at], self._merchants[api_key], *command[at:])

    def add_link(self, *options: str) -> dict[str, Any]:
        """A reusable link of the shop's, as its operator makes it."""
        with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as db:
            merchant_id = str(db.execute("SELECT id FROM merchant WHERE from_environment").fetchone()[0])
        return dict(json.loads(self._flask("link", "add", merchant_id, "--json", *options)))

    def _flask(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "flask", "--app", "app", *arguments]
        env = {"PATH": "/usr/bin:/bin"} | self._env
        done = subprocess.run(command, env=env, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def output(self) -> str:
        return self._web.output()

    def get(self, url: str, **options: Any) -> requests.Response:
        return self._http.get(url, timeout=10, **options)

    def open_session(self, *, api_key: str = API_KEY, **wishes: Any) -> dict[str, Any]:
        """What Bo's server does when Ada orders."""
        order = {
            "amount": 12_800,
            "currency": "HKD",
            "reference": f"TEA-{secrets.token_hex(4).upper()}",
            "return_url": f"{self.url}/demo/",
        }
        answer = self._http.post(
            f"{self.url}/v1/checkout-sessions",
            json=order | wishes,
            headers={"Authorization": f"Bearer {api_key}"},
            timeout=10,
        )
        assert answer.status_code == 201, answer.text
        session = dict(answer.json())
        self._keys[session["id"]] = api_key
        return session

    def session(self, session_id: str) -> dict[str, Any]:
        """The session as the merchant's API tells it."""
        answer = self._http.get(
            f"{self.url}/v1/checkout-sessions/{session_id}",
            headers={"Authorization": f"Bearer {self._keys.get(session_id, API_KEY)}"},
            timeout=10,
        )
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def picks(self, url: str, wallet: str, agent: str = "Mozilla/5.0 (X11; Linux x86_64)") -> None:
        """Ada chose a wallet before the story begins."""
        headers = {"User-Agent": agent}
        answer = self._http.post(url, data={"wallet": wallet}, headers=headers, timeout=10, allow_redirects=False)
        assert answer.status_code == 303, answer.text

    def cancels(self, url: str) -> None:
        answer = self._http.post(f"{url}/cancel", timeout=10, allow_redirects=False)
        assert answer.status_code == 303, answer.text

    def pays(self, url: str) -> None:
        """Ada confirmed the code in her wallet before the story begins; returns when the page knows."""
        self.confirms(url)
        self.waits_for(url, "paid")

    def confirms(self, url: str) -> None:
        wallet = self.pay_url(url.rpartition("/")[2])
        answer = self._http.post(wallet, data={"action": "pay"}, timeout=10, allow_redirects=False)
        assert answer.status_code == 303, answer.text

    def events(self, api_key: str) -> requests.Response:
        """The latest hundred, as the merchant's API tells them."""
        return self.get(f"{self.url}/v1/events?limit=100", headers={"Authorization": f"Bearer {api_key}"})

    def next_at_alipay(self, oddity: str) -> None:
        """What happens to the next shopper whom the sandbox's Alipay is asked about."""
        answer = self._http.post(f"{self.url}/sandbox/admin/alipay", json={"next": oddity}, timeout=10)
        assert answer.status_code == 200, answer.text

    def waits_for(self, url: str, status: str) -> None:
        wait_until(lambda: self.poll(url)["status"] == status, 20, lambda: f"{url} is never {status}")

    def poll(self, url: str) -> dict[str, Any]:
        return dict(self.get(f"{url}/status", headers={"Accept": "application/json"}).json())

    def order(self, session_id: str) -> dict[str, Any]:
        """The gateway's own record of the latest attempt; a tap of a moment ago may still be on its way there."""

        def found() -> list[dict[str, Any]]:
            numbers = [attempt["out_trade_no"] for attempt in self.session(session_id)["attempts"][-1:]]
            return [order for order in self._ledger()["orders"] if order["out_trade_no"] in numbers]

        wait_until(lambda: bool(found()), 20, lambda: f"{session_id} never reached the gateway")
        return dict(found()[0])

    def pay_url(self, session_id: str) -> str:
        """The latest attempt's address of payment: as our database holds it, and surely that of the gateway's order."""
        order = self.order(session_id)

        def target() -> str | None:
            with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as db:
                rows = db.execute("SELECT target FROM attempt WHERE out_trade_no = ?", (order["out_trade_no"],))
                return cast(str | None, rows.fetchone()[0])

        wait_until(lambda: target() is not None, 20, lambda: f"{session_id} never had an address of payment")
        stored = str(target())
        assert stored.startswith(f"{self.url}/sandbox/wallet/{order['token']}?"), stored
        return stored

    def ages(self, session_id: str, *, minutes: int = 0, seconds: int = 0) -> None:
        """So much time goes by for this session, in the books: nobody waits for it."""
        earlier = "{0} = strftime('%Y-%m-%d %H:%M:%f000', {0}, '-' || :seconds || ' seconds')"
        with closing(sqlite3.connect(self._database, timeout=10)) as db, db:
            for table, key, moments in (
                ("session", "id", ("created_at", "expires_at", "due_at")),
                ("attempt", "session_id", ("created_at", "ends_at")),
            ):
                changes = ", ".join(earlier.format(moment) for moment in moments)
                db.execute(
                    f"UPDATE {table} SET {changes} WHERE {key} = :session",  # noqa: S608 - our own names
                    {"seconds": 60 * minutes + seconds, "session": session_id},
                )

    def enquiries_about(self, session_id: str) -> int:
        """How often the gateway was asked about the latest attempt."""
        number = self.session(session_id)["attempts"][-1]["out_trade_no"]
        calls = self._ledger()["calls"]
        return sum(call["path"] == "/trade/v1/query" and number in json.dumps(call["params"]) for call in calls)

    def _ledger(self) -> dict[str, Any]:
        return dict(self.get(f"{self.url}/sandbox/admin/ledger").json())
