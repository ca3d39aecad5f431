"""A pretend merchant that knows only the public API: if this shop gets its money, a stranger's integration works."""

import base64
import hashlib
import hmac
import json
import os
import re
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from flask import Flask, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from jinja2 import StrictUndefined
from standardwebhooks import Webhook, WebhookVerificationError
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

HERE = Path(__file__).parent / "demo"
WORDS: dict[str, dict[str, str]] = json.loads((HERE / "words.json").read_text("utf-8"))
LANGUAGES = (("en", "English"), ("zh-HK", "繁體"), ("zh-CN", "简体"))
HONG_KONG = timezone(timedelta(hours=8))
TIMEOUT = (3.0, 10.0)  # seconds to connect, to answer
RETURN_SECONDS = 600  # a signed return is news for so long; afterwards it is an old link
RETURNS_KEPT = 20  # per order: anyone can make them up


@dataclass(frozen=True)
class Product:
    """`price` in cents of a Hong Kong dollar; words and drawing go by the code."""

    code: str
    price: int


PRODUCTS = (Product("jasmine", 12800), Product("oolong", 16800), Product("puer", 38800), Product("cup", 9850))

# Amounts that the sandbox gateway takes as a request for trouble.
SCENARIOS = (
    ("555.01", "the gateway takes the order and never answers"),
    ("555.03", "the answer takes 4 seconds"),
    ("555.05", "paid, but “processing” for 20 seconds"),
    ("555.06", "the wallet pays one cent less"),
    ("555.09", "the gateway notifies three times"),
    ("555.10", "the gateway never notifies"),
    ("555.12", "the payment is refused"),
    ("555.15", "the gateway breaks (HTTP 500)"),
    ("555.21", "paid twice by one press"),
    ("555.24", "the wallet pays after the deadline"),
)

# What a session's status means to us. A word we do not know changes nothing.
STATUS = {"open": "waiting", "paid": "paid", "expired": "expired", "cancelled": "cancelled"}

# An older version changes nothing, nor does another order's session or price; and paid stays paid.
LEARN = """
UPDATE orders SET status = CASE status WHEN 'paid' THEN status ELSE :status END, review = :review,
    version = MAX(version, COALESCE(:version, 0)), told_by = :by
WHERE number = :number AND COALESCE(session_id, :session) = :session
    AND amount = :amount AND :currency = 'HKD' AND (:version IS NULL OR version < :version)
"""

HOOKS = "SELECT * FROM webhooks WHERE number = ? ORDER BY received_at, rowid"
RETURNS = "SELECT * FROM returns WHERE number = ? ORDER BY received_at, rowid"


class Books:
    """The shop's memory: an SQLite file that several processes may share."""

    def __init__(self, path: str) -> None:
        self._path = path
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with self._open() as db:
            db.executescript((HERE / "schema.sql").read_text("utf-8"))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self._path, timeout=5)
        db.row_factory = sqlite3.Row
        try:
            with db:
                yield db
        finally:
            db.close()

    def rows(self, sql: str, *values: object) -> list[dict[str, Any]]:
        with self._open() as db:
            return [dict(row) for row in db.execute(sql, values)]

    def change(self, sql: str, *values: object) -> None:
        with self._open() as db:
            db.execute(sql, values)

    def order(self, number: str) -> dict[str, Any]:
        """404 if there is none."""
        found = self.rows("SELECT * FROM orders WHERE number = ?", number)
        if not found:
            abort(404)
        return found[0] | {"lines": json.loads(found[0]["request"])["items"]}

    def learn(self, session: Mapping[str, Any], version: int | None, by: str) -> None:
        with self._open() as db:
            _learn(db, session, version, by)

    def keep_webhook(self, webhook_id: str, body: str, now: int) -> None:
        """Store the event and what it teaches in one transaction; the same id again changes nothing."""
        event = json.loads(body)
        if event["type"] == "endpoint.test":  # sent because a person pressed a button: about no order
            return
        session: Mapping[str, Any] = event["data"]
        new = (webhook_id, session["reference"], event["type"], session["version"], now, body)
        with self._open() as db:
            if db.execute("INSERT OR IGNORE INTO webhooks VALUES (?, ?, ?, ?, 0, ?, ?)", new).rowcount:
                used = _learn(db, session, session["version"], "webhook")
                db.execute("UPDATE webhooks SET used = ? WHERE id = ?", (used, webhook_id))


def _learn(db: sqlite3.Connection, session: Mapping[str, Any], version: int | None, by: str) -> bool:
    if session.get("status") not in STATUS:
        return False
    told = {
        "status": STATUS[session["status"]],
        "review": bool(session.get("review")),
        "version": version,
        "by": by,
        "number": session.get("reference"),
        "session": session.get("id"),
        "amount": session.get("amount"),
        "currency": session.get("currency"),
    }
    return db.execute(LEARN, told).rowcount == 1


@dataclass(frozen=True)
class CheckoutApi:
    """The two calls a merchant needs."""

    url: str
    key: str
    http: requests.Session

    def create(self, body: str, idempotency_key: str) -> dict[str, Any] | str:
        """The session, or what came back instead, in words. Same key and body: the same session, however often."""
        headers = {"Idempotency-Key": idempotency_key, "Content-Type": "application/json"}
        answer = self._call("POST", "/v1/checkout-sessions", headers, body.encode())
        if isinstance(answer, str):
            return answer
        if answer.ok and (session := _json(answer)) and {"id", "url"} <= session.keys():
            return session
        return _explain(answer)

    def read(self, session_id: str) -> dict[str, Any] | None:
        """The session as it is now; None if the API cannot say."""
        answer = self._call("GET", f"/v1/checkout-sessions/{session_id}", {}, None)
        return _json(answer) if not isinstance(answer, str) and answer.ok else None

    def _call(self, method: str, path: str, headers: dict[str, str], body: bytes | None) -> requests.Response | str:
        headers["Authorization"] = f"Bearer {self.key}"
        try:
            return self.http.request(
                method, self.url + path, headers=headers, data=body, timeout=TIMEOUT, allow_redirects=False
            )
        except requests.RequestException as problem:
            return f"The checkout could not be reached ({type(problem).__name__})."


def _json(answer: requests.Response) -> dict[str, Any] | None:
    try:
        found = answer.json()
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _explain(answer: requests.Response) -> str:
    problem = _json(answer)
    if problem is None:
        return f"{answer.status_code}\n{answer.text[:300]}"
    lines = [f"{answer.status_code} {problem.get('title', '')}", str(problem.get("detail", ""))]
    errors = problem.get("errors")
    for error in errors if isinstance(errors, list) else []:
        lines.append(f"{error.get('field')}: {error.get('message')}" if isinstance(error, dict) else str(error))
    return "\n".join(line for line in lines if line.strip())


def judge_return(query: Mapping[str, str], order: Mapping[str, Any], webhook_secret: str, now: float) -> str:
    """`none` (nothing claimed), `verified`, `old` or `forged`. Even a verified return is not a payment."""
    parts = [query.get(name, "") for name in ("session_id", "reference", "status", "timestamp")]
    given = query.get("signature", "")
    if not given and not any(parts):
        return "none"
    key = base64.b64decode(webhook_secret.removeprefix("whsec_"))
    expected = hmac.new(key, ".".join(parts).encode("utf-8", "replace"), hashlib.sha256).hexdigest()
    ours = (order["session_id"], order["number"]) == (parts[0], parts[1])
    if not hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace")) or not ours:
        return "forged"
    return "verified" if abs(now - int(parts[3])) <= RETURN_SECONDS else "old"


class Shop:
    """The pages. Money is believed from a verified webhook or from the API, never from a browser."""

    def __init__(self, api: CheckoutApi, books: Books, secret: str, public_url: str, clock: Callable[[], float]):
        self.api, self.books, self.secret, self.public_url, self.clock = api, books, secret, public_url, clock

    def front(self) -> ResponseReturnValue:
        return self._front()

    def _front(self, problem: str = "", quantities: Mapping[str, int] | None = None) -> ResponseReturnValue:
        quantities = {PRODUCTS[0].code: 1} if quantities is None else quantities
        body = page("front.html", problem=problem, quantities=quantities, products=PRODUCTS, scenarios=SCENARIOS)
        return body, 422 if problem else 200

    def order(self) -> ResponseReturnValue:
        """Write the order down, then open a session for it."""
        lang = language()
        if "amount" in request.form:
            amount = read_amount(request.form["amount"])
            if amount is None:
                return self._front("bad_amount")
            items = [{"name": WORDS[lang]["trial"], "quantity": 1, "amount": amount}]
        else:
            quantities = read_quantities(request.form)
            if not quantities or not any(quantities.values()):
                return self._front("choose_one", quantities)
            items = [
                {"name": WORDS[lang][product.code], "quantity": many, "amount": product.price * many}
                for product in PRODUCTS
                if (many := quantities[product.code])
            ]
        return self._open_session(self._write_down(items, lang))

    def _write_down(self, items: list[dict[str, Any]], lang: str) -> dict[str, Any]:
        """The request is stored as it will be sent, so that trying again sends the same bytes."""
        number = "TEA-" + base64.b32encode(secrets.token_bytes(10)).decode()[:12]
        amount = sum(item["amount"] for item in items)
        thanks = f"{self.public_url}/orders/{number}/thanks"
        body = {
            "amount": amount,
            "currency": "HKD",
            "reference": number,
            "description": WORDS[lang]["description"],
            "items": items,
            "return_url": thanks,
            "cancel_url": thanks,
            "locale": lang,
        }
        sql = "INSERT INTO orders (number, created_at, lang, amount, request) VALUES (?, ?, ?, ?, ?)"
        self.books.change(sql, number, int(self.clock()), lang, amount, json.dumps(body, ensure_ascii=False))
        return self.books.order(number)

    def pay(self, number: str) -> ResponseReturnValue:
        """Try again: the same order, the same idempotency key."""
        return self._open_session(self.books.order(number))

    def _open_session(self, order: dict[str, Any]) -> ResponseReturnValue:
        number = order["number"]
        if order["status"] == "paid":
            return redirect(url_for("thanks", number=number), 303)
        if order["session_url"]:
            return redirect(order["session_url"], 303)
        session = self.api.create(order["request"], idempotency_key=number)
        if isinstance(session, str):
            self.books.change("UPDATE orders SET trouble = ? WHERE number = ?", session, number)
            return page("trouble.html", order["lang"], order=order, trouble=session), 502
        # A webhook may have been quicker than this answer: `status` moves only from `new`.
        sql = """UPDATE orders SET session_id = ?, session_url = ?, trouble = NULL,
                 status = CASE status WHEN 'new' THEN 'waiting' ELSE status END WHERE number = ?"""
        self.books.change(sql, session["id"], session["url"], number)
        return redirect(session["url"], 303)

    def thanks(self, number: str) -> ResponseReturnValue:
        order = self.books.order(number)
        proof = judge_return(request.args, order, self.secret, self.clock())
        if proof != "none":
            self._note_return(number, proof)
        if proof == "forged":
            return page("thanks.html", order["lang"], order=order, proof=proof, stage=proof), 403
        if order["session_id"] and order["status"] != "paid" and (session := self.api.read(order["session_id"])):
            self.books.learn(session, None, "API")
            order = self.books.order(number)
        return page("thanks.html", order["lang"], order=order, proof=proof, stage=order["status"])

    def _note_return(self, number: str, proof: str) -> None:
        sql = """INSERT OR IGNORE INTO returns SELECT ?, ?, ?, ?, ?
                 WHERE (SELECT count(*) FROM returns WHERE number = ?) < ?"""
        claim, signature = request.args.get("status", "")[:20], request.args.get("signature", "")[:64]
        self.books.change(sql, number, claim, proof, signature, int(self.clock()), number, RETURNS_KEPT)

    def webhook(self) -> ResponseReturnValue:
        body = request.get_data()
        try:
            # The library raises plain ValueErrors for signatures that are not even base64.
            Webhook(self.secret).verify(body, dict(request.headers), json_parse=False)
        except (WebhookVerificationError, ValueError):
            return "", 401
        try:
            self.books.keep_webhook(request.headers["webhook-id"], body.decode(), int(self.clock()))
        except (ValueError, KeyError, TypeError):
            return "", 400  # signed, but not an event as the API describes it
        return "", 204

    def back_of_shop(self) -> ResponseReturnValue:
        orders = self.books.rows("SELECT * FROM orders ORDER BY created_at DESC, rowid DESC LIMIT 50")
        hooks, returns = (
            {order["number"]: self.books.rows(sql, order["number"]) for order in orders} for sql in (HOOKS, RETURNS)
        )
        strays = self.books.rows("SELECT id FROM webhooks WHERE number NOT IN (SELECT number FROM orders)")
        return page("orders.html", orders=orders, webhooks=hooks, returns=returns, strays=len(strays))


def read_amount(text: str) -> int | None:
    """Cents, from what an engineer typed; None if it is no amount."""
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,2})?", text.strip()):
        return None
    return int(Decimal(text.strip()) * 100) or None


def read_quantities(form: Mapping[str, str]) -> dict[str, int] | None:
    """How many of each, 0 to 9; None if that cannot be read. A form that names nothing orders the first product."""
    named = {product.code: form.get(product.code, "").strip() or "0" for product in PRODUCTS}
    if not any(product.code in form for product in PRODUCTS):
        named[PRODUCTS[0].code] = "1"
    if not all(re.fullmatch("[0-9]", quantity) for quantity in named.values()):
        return None
    return {code: int(quantity) for code, quantity in named.items()}


def language(default: str = "") -> str:
    """`?lang`, then the order's, then the browser's first that we speak."""
    for asked in (request.args.get("lang", ""), request.form.get("lang", ""), default):
        if asked in WORDS:
            return asked
    for tag, _ in request.accept_languages:
        first, *rest = tag.lower().replace("_", "-").split("-")
        if first == "zh":
            return "zh-HK" if {"hk", "mo", "tw", "hant"} & set(rest) else "zh-CN"
        if first == "en":
            return "en"
    return "en"


def page(template: str, lang: str = "", **values: object) -> str:
    lang = language(lang)
    return render_template(template, lang=lang, say=WORDS[lang], languages=LANGUAGES, **values)


def create_demo_shop(
    *,
    api_url: str,
    api_key: str,
    webhook_secret: str,
    public_url: str,
    state: str,
    http: requests.Session | None = None,
    clock: Callable[[], float] = time.time,
) -> Flask:
    """`public_url` is where a browser finds this app, path included; `state` is the path of an SQLite file."""
    if http is None:
        http = requests.Session()
        http.trust_env = False
    app = Flask(__name__, template_folder=str(HERE / "templates"), static_folder=str(HERE / "static"))
    app.config["MAX_CONTENT_LENGTH"] = 256 * 1024
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.filters |= {"hkd": hkd, "moment": moment}
    api_url, public_url = api_url.rstrip("/"), public_url.rstrip("/")
    shop = Shop(CheckoutApi(api_url, api_key, http), Books(state), webhook_secret, public_url, clock)
    app.add_url_rule("/", view_func=shop.front)
    app.add_url_rule("/orders", view_func=shop.back_of_shop)
    app.add_url_rule("/orders", view_func=shop.order, methods=["POST"])
    app.add_url_rule("/orders/<number>/pay", view_func=shop.pay, methods=["POST"])
    app.add_url_rule("/orders/<number>/thanks", view_func=shop.thanks)
    app.add_url_rule("/webhook", view_func=shop.webhook, methods=["POST"])
    app.register_error_handler(HTTPException, explain_error)
    app.after_request(lambda answer: add_headers(answer, {origin(api_url), origin(public_url)}))
    return app


def explain_error(error: HTTPException) -> ResponseReturnValue:
    heading = {404: "no_such", 500: "went_wrong"}.get(error.code or 500, "cannot")
    return page("error.html", heading=heading), error.code or 500


def add_headers(answer: Response, checkout: set[str]) -> Response:
    """Chromium holds the redirect after a form to `form-action` too, so the checkout stands there."""
    answer.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'; "
        f"frame-ancestors 'none'; form-action 'self' {' '.join(sorted(checkout))}"
    )
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Referrer-Policy"] = "no-referrer"  # order numbers are nobody else's business
    if request.endpoint != "static":
        answer.headers["Cache-Control"] = "no-store"
    return answer


def origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def hkd(amount: int) -> str:
    return f"HK${amount // 100:,}.{amount % 100:02d}"


def moment(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC).astimezone(HONG_KONG):%Y-%m-%d %H:%M:%S} HKT"


def main(env: Mapping[str, str] = os.environ) -> None:
    names = ("DEMO_API_URL", "DEMO_API_KEY", "DEMO_WEBHOOK_SECRET")
    if missing := [name for name in names if not env.get(name)]:
        raise SystemExit(f"Set {', '.join(missing)}: the checkout's address, and what it gave you as a merchant.")
    port = int(env.get("PORT", "8001"))
    app = create_demo_shop(
        api_url=env["DEMO_API_URL"],
        api_key=env["DEMO_API_KEY"],
        webhook_secret=env["DEMO_WEBHOOK_SECRET"],
        public_url=env.get("DEMO_PUBLIC_URL") or f"http://127.0.0.1:{port}",
        state=env.get("DEMO_STATE") or "instance/demo-shop.db",
    )
    app.run("127.0.0.1", port, threaded=True)


if __name__ == "__main__":
    main()
