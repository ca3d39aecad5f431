"""Settings: read once, checked once, and refused with one sentence that says what to set."""

from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from config import BadSetting, Config

SECRET = "s" * 40


@cache
def rsa_key(bits: int) -> str:
    """PKCS#1, as older tools write it."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    return made.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


GOOD = {
    "ENV": "production",
    "SECRET_KEY": SECRET,
    "DATABASE_URL": "postgresql://sampan@db.example/sampan",
    "PUBLIC_URL": "https://pay.example.com",
}


def config(**env: str) -> Config:
    return Config.from_env({"SECRET_KEY": SECRET} | env)


def refusal(env: dict[str, str]) -> str:
    with pytest.raises(BadSetting) as refused:
        Config.from_env(env)
    return refused.value.message


def test_nothing_has_to_be_set_for_development() -> None:
    found = Config.from_env({})
    assert found.PUBLIC_URL == "http://127.0.0.1:8000"
    assert found.DATABASE_URL.startswith("sqlite:///")
    assert found.embedded_worker
    assert not found.production
    assert not found.SANDBOX


def test_every_process_of_a_checkout_has_the_same_development_secret() -> None:
    first, second = Config.from_env({}).SECRET_KEY, Config.from_env({}).SECRET_KEY
    assert first == second
    assert len(first[0]) >= 32


def test_commas_alone_are_no_secret() -> None:
    assert Config.from_env({"SECRET_KEY": ", ,"}).SECRET_KEY == Config.from_env({}).SECRET_KEY
    assert refusal(GOOD | {"SECRET_KEY": ",,"}).startswith("Set SECRET_KEY")


def test_production_needs_four_settings() -> None:
    found = Config.from_env(GOOD)
    assert found.production
    assert not found.embedded_worker
    assert found.DATABASE_URL == "postgresql+psycopg://sampan@db.example/sampan"


@pytest.mark.parametrize(("env", "field", "value"), [
    ({"PORT": "9000"},                              "PUBLIC_URL", "http://127.0.0.1:9000"),
    ({"PUBLIC_URL": "https://pay.example.com/"},    "PUBLIC_URL", "https://pay.example.com"),
    ({"PORT": " 9000 "},                            "PORT", 9000),
    ({"PORT": ""},                                  "PORT", 8000),  # set, and empty: as if it were not set
    ({"ENV": "Production", **{k: v for k, v in GOOD.items() if k != "ENV"}}, "ENV", "production"),
    ({"DATABASE_URL": "postgres://u:p@h/d"},        "DATABASE_URL", "postgresql+psycopg://u:p@h/d"),
    ({"DATABASE_URL": "postgresql://u:p@h/d"},      "DATABASE_URL", "postgresql+psycopg://u:p@h/d"),
    ({"QFPAY_SIGN_TYPE": "SHA256"},                 "QFPAY_SIGN_TYPE", "sha256"),  # as QFPay's own header has it
    ({"QFPAY_SIGN_TYPE": "Md5"},                    "QFPAY_SIGN_TYPE", "md5"),
    ({"SECRET_KEY": f"{'n' * 40}, {SECRET}"},       "SECRET_KEY", ("n" * 40, SECRET)),
    ({"MERCHANT_WALLETS": "alipay_hk, alipay:HKD+USD"}, "MERCHANT_WALLETS", ("alipay_hk", "alipay:HKD+USD")),
    ({"MERCHANT_RETURN_ORIGINS": "https://a.example,,https://b.example,"},
     "MERCHANT_RETURN_ORIGINS", ("https://a.example", "https://b.example")),
    ({"PAY_URL_HOSTS": "alipay.com,alipayhk.com"},  "PAY_URL_HOSTS", ("alipay.com", "alipayhk.com")),
    ({},                                            "PAY_URL_HOSTS", ("alipay.com",)),
    ({"EMBEDDED_WORKER": "0"},                      "embedded_worker", False),
    ({"EMBEDDED_WORKER": "1", "DATABASE_URL": "postgres://h/d"}, "embedded_worker", True),
    ({"DATABASE_URL": "postgres://h/d"},            "embedded_worker", False),
    ({"METRICS_TOKEN": "short"},                    "METRICS_TOKEN", "short"),  # as a SECRET_KEY may be, at home
    ({"SQLITE_IS_PERSISTENT": "1"},                 "SQLITE_IS_PERSISTENT", True),
    ({"SOMETHING_ELSE": "x"},                       "PORT", 8000),  # other programs share the environment
])  # fmt: skip
def test_a_setting_is_read_as(env: dict[str, str], field: str, value: Any) -> None:
    assert getattr(config(**env), field) == value


@pytest.mark.parametrize(("change", "said"), [
    ({"SECRET_KEY": ""},                           "Set SECRET_KEY to a random value of 32 characters or more"),
    ({"SECRET_KEY": "short"},                      "this one is too short"),
    ({"SECRET_KEY": f"{SECRET},short"},            "this one is too short"),
    ({"PUBLIC_URL": ""},                           "Set PUBLIC_URL to an https address"),
    ({"PUBLIC_URL": "http://pay.example.com"},     "Set PUBLIC_URL to an https address"),
    ({"DATABASE_URL": ""},                         "Set DATABASE_URL to PostgreSQL, or SQLITE_IS_PERSISTENT=1"),
    ({"DATABASE_URL": "sqlite:////data/s.db"},     "Set DATABASE_URL to PostgreSQL, or SQLITE_IS_PERSISTENT=1"),
    ({"DEBUG": "1"},                               "Unset DEBUG"),
    ({"METRICS_TOKEN": "short"},                   "Set METRICS_TOKEN to a random value of 16 characters or more"),
    ({"SANDBOX": "1"},                             "Unset SANDBOX and DEMO_SHOP"),
    ({"DEMO_SHOP": "1"},                           "Unset SANDBOX and DEMO_SHOP"),
    ({"QFPAY_BASE_URL": "http://127.0.0.1:8000/sandbox"}, "Set QFPAY_BASE_URL to another address"),
    ({"MERCHANT_WEBHOOK_URL": "http://shop.example/"},    "Set MERCHANT_WEBHOOK_URL to another address"),
    ({"MERCHANT_RETURN_ORIGINS": "http://shop.example"},  "Set MERCHANT_RETURN_ORIGINS to other origins"),
])  # fmt: skip
def test_production_refuses(change: dict[str, str], said: str) -> None:
    assert said in refusal(GOOD | change)


def test_sqlite_is_welcome_in_production_on_a_disk_that_stays() -> None:
    found = Config.from_env(GOOD | {"DATABASE_URL": "sqlite:////data/sampan.db", "SQLITE_IS_PERSISTENT": "1"})
    assert found.embedded_worker


@pytest.mark.parametrize(("env", "setting"), [
    ({"ENV": "staging"},                       "ENV"),
    ({"PORT": "eighty"},                       "PORT"),
    ({"PORT": "65536"},                        "PORT"),
    ({"WEB_CONCURRENCY": "0"},                 "WEB_CONCURRENCY"),
    ({"WEB_CONCURRENCY": "-1"},                "WEB_CONCURRENCY"),
    ({"WEB_CONCURRENCY": "many"},              "WEB_CONCURRENCY"),
    ({"PROXY_HOPS": "-1"},                     "PROXY_HOPS"),
    ({"GATEWAY_RATE_PER_MINUTE": "401"},       "GATEWAY_RATE_PER_MINUTE"),
    ({"MERCHANT_CODE_MINUTES": "4"},           "MERCHANT_CODE_MINUTES"),
    ({"QFPAY_SIGN_TYPE": "sha1"},              "QFPAY_SIGN_TYPE"),
    ({"EMBEDDED_WORKER": "maybe"},             "EMBEDDED_WORKER"),
    ({"RATE_LIMITS": "sometimes"},             "RATE_LIMITS"),
    ({"RATE_LIMITS": "api=0/minute"},          "RATE_LIMITS"),
    ({"RATE_LIMITS": "api=5/day"},             "RATE_LIMITS"),
    ({"RATE_LIMITS": "pages=5/minute"},        "RATE_LIMITS"),
    ({"DATABASE_URL": "mysql://h/d"},          "DATABASE_URL"),
    ({"DATABASE_URL": "postgres://u:p@h:port/d"}, "Set DATABASE_URL to a sqlite:/// or postgresql:// address."),
    ({"DATABASE_URL": "sqlite:books.db"},      "Set DATABASE_URL to a sqlite:/// or postgresql:// address."),
    ({"DATABASE_URL": "sqlite://books.db"},    "Set DATABASE_URL to a sqlite:/// or postgresql:// address."),
    ({"DATABASE_URL": "sqlite://"},            "Set DATABASE_URL to a sqlite:/// or postgresql:// address."),
    ({"DATABASE_URL": "sqlite:///:memory:"},   "Set DATABASE_URL to a sqlite:/// or postgresql:// address."),
    ({"PUBLIC_URL": "pay.example.com"},        "PUBLIC_URL"),
    ({"PUBLIC_URL": "https://pay.example?x"},  "PUBLIC_URL"),
    ({"QFPAY_APP_CODE": "A"},                  "QFPAY_APP_CODE"),
    ({"QFPAY_CLIENT_KEY": "K"},                "QFPAY_CLIENT_KEY"),
    ({"MERCHANT_WEBHOOK_SECRET": "secret"},    "MERCHANT_WEBHOOK_SECRET"),
])  # fmt: skip
def test_a_wrong_value_is_answered_with_one_sentence_that_names_the_setting(env: dict[str, str], setting: str) -> None:
    said = refusal({"SECRET_KEY": SECRET} | env)
    assert said.startswith("Set ")
    assert setting in said
    assert "\n" not in said


SECRETS = {
    "SECRET_KEY": SECRET,
    "DATABASE_URL": "postgresql://sampan:hunter2@db.example/sampan",
    "QFPAY_APP_CODE": "A",
    "QFPAY_CLIENT_KEY": "client-key-of-bo",
    "MERCHANT_API_KEY": "sk_of_bo",
    "MERCHANT_WEBHOOK_SECRET": "whsec_" + "b2" * 16,
}


def test_no_secret_shows_when_the_settings_are_printed() -> None:
    shown = repr(Config.from_env(SECRETS)) + str(Config.from_env(SECRETS))
    assert not [word for word in (SECRET, "hunter2", "client-key-of-bo", "sk_of_bo", "b2b2") if word in shown]


@pytest.mark.parametrize("name", ["MERCHANT_WEBHOOK_SECRET", "PORT", "QFPAY_SIGN_TYPE"])
def test_no_value_shows_in_a_refusal(name: str) -> None:
    assert "looks-like-a-secret" not in refusal({"SECRET_KEY": SECRET, name: "looks-like-a-secret"})


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        config().PORT = 1


@pytest.mark.parametrize(("env", "told"), [
    ({"ALIPAY_APP_ID": "2021001"},                                       "Set ALIPAY_APP_ID and ALIPAY_PRIVATE_KEY"),
    ({"ALIPAY_APP_ID": "2021001", "ALIPAY_PRIVATE_KEY": "c2VjcmV0"},     "Set ALIPAY_PRIVATE_KEY to a key"),
    ({"ALIPAY_APP_ID": "2021001", "ALIPAY_PRIVATE_KEY": "schlüssel"},    "Set ALIPAY_PRIVATE_KEY to a key"),
    ({"ALIPAY_APP_ID": "2021001", "ALIPAY_PRIVATE_KEY": rsa_key(1024)},  "at least 2048 bits"),
    ({"ALIPAY_PUBLIC_KEY": rsa_key(2048)},                               "Set ALIPAY_PUBLIC_KEY to a key"),
    ({"ALIPAY_GATEWAY_URL": "http://openapi.alipay.com/", **GOOD},       "Set ALIPAY_GATEWAY_URL to another address"),
    ({"ALIPAY_AUTH_URL": "javascript:alert(1)"},                         "Set ALIPAY_AUTH_URL to another address"),
])  # fmt: skip
def test_a_bad_alipay_app_stops_the_start_with_a_sentence(env: dict[str, str], told: str) -> None:
    said = refusal({"SECRET_KEY": SECRET} | env)
    assert told in said
    assert "\n" not in said
    assert not [value for name, value in env.items() if name.endswith("_KEY") and len(value) > 7 and value in said]


def test_a_key_may_be_written_in_each_way_that_alipays_tools_know() -> None:
    pem = rsa_key(2048)
    bare = "".join(line for line in pem.splitlines() if "-----" not in line)
    for written in (pem, pem.replace("\n", "\\n"), bare):
        found = config(ALIPAY_APP_ID="2021001", ALIPAY_PRIVATE_KEY=written)
        assert found.ALIPAY_APP_ID == "2021001"
        assert bare[:40] not in repr(found)
