"""Every setting, read from the environment and checked once."""

import base64
import os
import re
import secrets
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from checkout.domain import rsa2
from checkout.domain.errors import Invalid
from checkout.domain.links import problem_with_origin, problem_with_return_url
from checkout.domain.rates import Rate, read_rates
from checkout.domain.shops import Shop, check_shop
from checkout.store.engine import is_address

HOST_NAME = re.compile(r"(?!-)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+", re.ASCII)
ROOT = Path(__file__).resolve().parent
SHORTEST_SECRET, SHORTEST_TOKEN = 32, 16
LONGEST_PUBLIC_URL = 150
CREDENTIALS = {"app-code", "client-key"}  # without them the environment describes no merchant
SHOP_SETTINGS = {
    "name": "MERCHANT_NAME to another name: it",
    "app-code": "QFPAY_APP_CODE to another code: it",
    "account": "QFPAY_APP_CODE and QFPAY_MCHID to what they were:",
    "client-key": "QFPAY_CLIENT_KEY to another key: it",
    "mchid": "QFPAY_MCHID to another number: it",
    "base-url": "QFPAY_BASE_URL to another address: it",
    "webhook-url": "MERCHANT_WEBHOOK_URL to another address: it",
    "return-origin": "MERCHANT_RETURN_ORIGINS to other origins:",
    "wallet": "MERCHANT_WALLETS to other wallets:",
    "frame": "MERCHANT_FRAME to other wallets:",
    "udid": "MERCHANT_UDID to another name: it",
    "desktop-pay-type": "MERCHANT_PAY_TYPES to other pay types:",
}


class BadSetting(SystemExit):
    """A setting is missing or wrong; the message is one sentence that says what to set."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def _words(value: object) -> object:
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_words)]


class Config(BaseModel):
    """The settings of interface.md section 2, under their own names. `repr` shows no secret."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    ENV: Literal["development", "production"] = "development"
    SECRET_KEY: Words = Field(default=(), repr=False)
    DATABASE_URL: str = Field(default=f"sqlite:///{ROOT / 'instance' / 'sampan.db'}", repr=False)
    SQLITE_IS_PERSISTENT: bool = False
    HOST: str = "127.0.0.1"
    PORT: int = Field(default=8000, ge=0, le=65535)
    WEB_CONCURRENCY: int = Field(default=os.cpu_count() or 1, ge=1)
    PUBLIC_URL: str = ""
    PROXY_HOPS: int = Field(default=0, ge=0, le=10)
    EMBEDDED_WORKER: bool | None = None
    DEBUG: bool = False
    LOG_LEVEL: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    QFPAY_APP_CODE: str = ""
    QFPAY_CLIENT_KEY: str = Field(default="", repr=False)
    QFPAY_MCHID: str = ""
    QFPAY_BASE_URL: str = "https://openapi-hk.qfapi.com"
    QFPAY_SIGN_TYPE: Annotated[Literal["sha256", "md5"], BeforeValidator(str.lower)] = "sha256"
    MERCHANT_NAME: str = "Shop"
    MERCHANT_API_KEY: str = Field(default="", repr=False)
    MERCHANT_WEBHOOK_URL: str = ""
    MERCHANT_WEBHOOK_SECRET: str = Field(default="", repr=False)
    MERCHANT_RETURN_ORIGINS: Words = ()
    MERCHANT_WALLETS: Words = ()
    MERCHANT_PAY_TYPES: Words = ()
    MERCHANT_FRAME: Words = ()
    MERCHANT_LIMIT_PAY: Literal["", "no_credit"] = ""
    MERCHANT_UDID: str = Field(default="", max_length=40)
    MERCHANT_CODE_MINUTES: int = Field(default=30, ge=5, le=120)

    PAY_URL_HOSTS: Words = ("alipay.com",)
    ALIPAY_APP_ID: str = Field(default="", max_length=32)
    ALIPAY_PRIVATE_KEY: str = Field(default="", repr=False)
    ALIPAY_PUBLIC_KEY: str = Field(default="", repr=False)
    ALIPAY_AUTH_URL: str = "https://openauth.alipay.com/oauth2/publicAppAuthorize.htm"
    ALIPAY_GATEWAY_URL: str = "https://openapi.alipay.com/gateway.do"
    GATEWAY_RATE_PER_MINUTE: int = Field(default=300, ge=10, le=400)
    GATEWAY_STRICT_SIGNATURE: bool = False
    RATE_LIMITS: str = "on"
    METRICS_TOKEN: str = Field(default="", repr=False)

    SANDBOX: bool = False
    SANDBOX_LEDGER: str = str(ROOT / "instance" / "sandbox.db")
    SANDBOX_REFUND_PAUSE: bool = True
    DEMO_SHOP: bool = False
    DEMO_STATE: str = str(ROOT / "instance" / "demo_shop.db")
    DEMO_API_KEY: str = Field(default="", repr=False)
    DEMO_WEBHOOK_SECRET: str = Field(default="", repr=False)

    @property
    def production(self) -> bool:
        return self.ENV == "production"

    @property
    def on_sqlite(self) -> bool:
        return self.DATABASE_URL.startswith("sqlite")

    @cached_property
    def rates(self) -> dict[str, Rate]:
        """How often one caller may call, by the name of the limit."""
        return read_rates(self.RATE_LIMITS)

    @property
    def embedded_worker(self) -> bool:
        return self.on_sqlite if self.EMBEDDED_WORKER is None else self.EMBEDDED_WORKER

    @property
    def shop(self) -> Shop:
        """The single merchant that QFPAY_* and MERCHANT_* describe."""
        options = {
            "pay_types": list(self.MERCHANT_PAY_TYPES),
            "frame": list(self.MERCHANT_FRAME),
            "limit_pay": self.MERCHANT_LIMIT_PAY,
            "udid": self.MERCHANT_UDID,
            "code_minutes": self.MERCHANT_CODE_MINUTES,
        }
        return Shop(
            name=self.MERCHANT_NAME,
            app_code=self.QFPAY_APP_CODE,
            client_key=self.QFPAY_CLIENT_KEY,
            base_url=self.QFPAY_BASE_URL,
            mchid=self.QFPAY_MCHID,
            sign_type=self.QFPAY_SIGN_TYPE,
            wallets=self.MERCHANT_WALLETS,
            return_origins=self.MERCHANT_RETURN_ORIGINS,
            webhook_url=self.MERCHANT_WEBHOOK_URL,
            api_key=self.MERCHANT_API_KEY,
            webhook_secret=self.MERCHANT_WEBHOOK_SECRET,
            from_environment=True,
            options={name: value for name, value in options.items() if value},
        )

    @property
    def sandbox_url(self) -> str:
        """Where the sandbox gateway and its wallet stand, when there is one."""
        return f"{self.PUBLIC_URL}/sandbox"

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Self:
        """Read and check the environment. Raises BadSetting, one sentence that says what to set."""
        given = os.environ if env is None else env
        values = {name: given[name].strip() for name in cls.model_fields if given.get(name, "").strip()}
        try:
            return cls.model_validate(_completed(values))
        except ValidationError as error:
            raise BadSetting(_sentence(error)) from None

    @model_validator(mode="after")
    def _refuse_what_cannot_work(self) -> Self:
        for problem in _problems(self):
            raise ValueError(problem)
        return self


def _completed(values: dict[str, str]) -> dict[str, Any]:
    """Fill in what depends on other settings."""
    values = dict(values)
    values["ENV"] = values.get("ENV", "development").lower()
    values.setdefault("PUBLIC_URL", f"http://127.0.0.1:{values.get('PORT', '8000')}")
    values["PUBLIC_URL"] = values["PUBLIC_URL"].rstrip("/")
    url = values.get("DATABASE_URL", "")
    for old in ("postgres://", "postgresql://"):  # as Heroku writes it, and as people do
        if url.startswith(old):
            values["DATABASE_URL"] = "postgresql+psycopg://" + url.removeprefix(old)
    # A platform that routes to us sets PORT and expects every interface; a developer's machine stays private.
    if values["ENV"] == "production" and "PORT" in values:
        values.setdefault("HOST", "0.0.0.0")  # noqa: S104 - its router is outside
    if not values.get("SECRET_KEY", "").strip(", ") and values["ENV"] == "development":
        values["SECRET_KEY"] = _development_secret()
    return values


def _development_secret() -> str:
    """One secret for every process of this checkout, so that a merchant added by hand can be read by the web."""
    path = ROOT / "instance" / "secret_key"
    path.parent.mkdir(exist_ok=True)
    try:
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as new:
            new.write(secrets.token_urlsafe(48))
    except FileExistsError:
        pass
    return path.read_text().strip()


def _problems(config: Config) -> list[str]:
    found = []
    if problem_with_origin(config.PUBLIC_URL, http_allowed=True):
        found.append("Set PUBLIC_URL to this service's own address, such as https://pay.example.com.")
    if len(config.PUBLIC_URL) > LONGEST_PUBLIC_URL:  # return_url and notify_url may have 200 (qfpay.md 3.6)
        found.append(f"Set PUBLIC_URL to an address of at most {LONGEST_PUBLIC_URL} characters.")
    if not is_address(config.DATABASE_URL):
        found.append("Set DATABASE_URL to a sqlite:/// or postgresql:// address.")
    if bool(config.QFPAY_APP_CODE) != bool(config.QFPAY_CLIENT_KEY):
        found.append("Set QFPAY_APP_CODE and QFPAY_CLIENT_KEY together, or neither.")
    if problem := _problem_of_rates(config.RATE_LIMITS):
        found.append(f"Set RATE_LIMITS to on, off, or figures such as api=600/minute,link=60/minute: {problem}.")
    if not all(HOST_NAME.fullmatch(host) for host in config.PAY_URL_HOSTS):
        found.append("Set PAY_URL_HOSTS to host names only, such as alipay.com, separated by commas.")
    found += _problems_of_alipay(config)
    return found + _problems_of_merchant(config) + (_refused_in_production(config) if config.production else [])


def _problems_of_alipay(config: Config) -> list[str]:
    found = []
    if bool(config.ALIPAY_APP_ID) != bool(config.ALIPAY_PRIVATE_KEY):
        found.append("Set ALIPAY_APP_ID and ALIPAY_PRIVATE_KEY together, or neither.")
    for name, read in (("ALIPAY_PRIVATE_KEY", rsa2.read_private_key), ("ALIPAY_PUBLIC_KEY", rsa2.read_public_key)):
        try:
            if text := getattr(config, name):
                read(text)
        except ValueError as reason:
            found.append(f"Set {name} to a key as Alipay's own tools make it, in PEM or its base64: it {reason}.")
    for name in ("ALIPAY_AUTH_URL", "ALIPAY_GATEWAY_URL"):
        if problem := problem_with_return_url(getattr(config, name), origins=(), http_allowed=not config.production):
            found.append(f"Set {name} to another address: it {problem}.")
    return found


def _problem_of_rates(text: str) -> str | None:
    try:
        read_rates(text)
    except ValueError as problem:
        return str(problem)
    return None


def _problems_of_merchant(config: Config) -> list[str]:
    """What `merchant add` would refuse, told at the start for the merchant of the environment."""
    found = []
    if config.MERCHANT_WEBHOOK_SECRET and not _is_webhook_secret(config.MERCHANT_WEBHOOK_SECRET):
        found.append("Set MERCHANT_WEBHOOK_SECRET to whsec_ and 24 to 64 random bytes in base64.")
    try:
        check_shop(config.shop, http_allowed=not config.production)
    except Invalid as wrong:
        given = {name: said for name, said in wrong.errors.items() if config.QFPAY_APP_CODE or name not in CREDENTIALS}
        found += what_to_set(given)
    return found


def what_to_set(errors: Mapping[str, str]) -> list[str]:
    """What is wrong with the merchant of the environment, one sentence for each mistake."""
    return [f"Set {SHOP_SETTINGS[name]} {said}." for name, said in errors.items()]


def _is_webhook_secret(secret: str) -> bool:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        return False
    return secret.startswith("whsec_") and 24 <= len(key) <= 64


def _refused_in_production(config: Config) -> list[str]:
    found = []
    if config.DEBUG:
        found.append("Unset DEBUG: ENV=production shows no debugger to strangers.")
    if not config.SECRET_KEY:
        found.append("Set SECRET_KEY to a random value of 32 characters or more: ENV=production needs one.")
    if any(len(key) < SHORTEST_SECRET for key in config.SECRET_KEY):
        found.append("Set SECRET_KEY to a random value of 32 characters or more: this one is too short.")
    if config.METRICS_TOKEN and len(config.METRICS_TOKEN) < SHORTEST_TOKEN:
        found.append(f"Set METRICS_TOKEN to a random value of {SHORTEST_TOKEN} characters or more, or unset it.")
    if not config.PUBLIC_URL.startswith("https://"):
        found.append("Set PUBLIC_URL to an https address: ENV=production refuses http.")
    if config.on_sqlite and not config.SQLITE_IS_PERSISTENT:
        found.append(
            "Set DATABASE_URL to PostgreSQL, or SQLITE_IS_PERSISTENT=1 if the file's disk outlives restarts: "
            "on most platforms it does not."
        )
    if config.SANDBOX or config.DEMO_SHOP:
        found.append("Unset SANDBOX and DEMO_SHOP: ENV=production runs without the pretend gateway and shop.")
    return found


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    if not first["loc"]:
        return first["msg"].removeprefix("Value error, ")
    return f"Set {first['loc'][0]} to a value that fits (see README.md, 'Settings'): {first['msg'].lower()}."
