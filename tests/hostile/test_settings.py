"""Settings that cannot work stop the start (interface.md section 2)."""

import pytest

from checkout.services.merchants import Shop, check_shop
from checkout.domain.errors import Invalid
from config import BadSetting, Config

DEVELOPMENT = {"SECRET_KEY": "s" * 40, "QFPAY_APP_CODE": "A", "QFPAY_CLIENT_KEY": "K"}
PRODUCTION = DEVELOPMENT | {"ENV": "production", "PUBLIC_URL": "https://pay.example.com", "DATABASE_URL": "postgres://h/d"}

# fmt: off
BAD = {
    "an API key that no call accepts":         DEVELOPMENT | {"MERCHANT_API_KEY": "my-own-key"},
    "a webhook secret that is no base64":      DEVELOPMENT | {"MERCHANT_WEBHOOK_SECRET": "whsec_abc"},
    "a webhook secret of nothing":             DEVELOPMENT | {"MERCHANT_WEBHOOK_SECRET": "whsec_"},
    "a wallet that does not exist":            DEVELOPMENT | {"MERCHANT_WALLETS": "paypal"},
    "a return origin with a path":             DEVELOPMENT | {"MERCHANT_RETURN_ORIGINS": "https://shop.example/thanks"},
    "a base URL without a scheme":             DEVELOPMENT | {"QFPAY_BASE_URL": "openapi-hk.qfapi.com"},
    "a pay host that is a URL":                DEVELOPMENT | {"PAY_URL_HOSTS": "https://alipay.com"},
    "a pay host that breaks the CSP":          DEVELOPMENT | {"PAY_URL_HOSTS": "alipay.com; script-src *"},
    "a PUBLIC_URL with a path":                DEVELOPMENT | {"PUBLIC_URL": "https://example.com/checkout"},
    "a PUBLIC_URL with a user":                DEVELOPMENT | {"PUBLIC_URL": "https://u:p@example.com"},
    "a PUBLIC_URL with a blank":               DEVELOPMENT | {"PUBLIC_URL": "https://exa mple.com"},
    "a loopback gateway in production":        PRODUCTION | {"QFPAY_BASE_URL": "https://127.0.0.1/gw"},
    "a loopback webhook in production":        PRODUCTION | {"MERCHANT_WEBHOOK_URL": "https://localhost/hook"},
    "a loopback return origin in production":  PRODUCTION | {"MERCHANT_RETURN_ORIGINS": "https://localhost"},
}
# fmt: on


@pytest.mark.parametrize("env", BAD.values(), ids=BAD)
def test_it_stops_the_start_with_one_sentence(env: dict[str, str]) -> None:
    with pytest.raises(BadSetting) as stopped:
        Config.from_env(env)
    assert stopped.value.message.startswith("Set ")


def test_these_settings_are_good_otherwise() -> None:
    Config.from_env(DEVELOPMENT)
    Config.from_env(PRODUCTION)


@pytest.mark.parametrize("where", ["base_url", "webhook_url", "return_origins"])
def test_a_merchant_added_in_production_has_no_loopback_addresses(where: str) -> None:
    address = "https://localhost"
    shop = Shop(name="S", app_code="A", client_key="K", **{where: (address,) if where == "return_origins" else address})
    with pytest.raises(Invalid):
        check_shop(shop, http_allowed=False)
