"""Settings that cannot work stop the start (interface.md section 2)."""

from typing import Any

import pytest

from checkout.domain.errors import Invalid
from checkout.domain.shops import Shop, check_shop
from config import BadSetting, Config

DEVELOPMENT = {"SECRET_KEY": "s" * 40, "QFPAY_APP_CODE": "A", "QFPAY_CLIENT_KEY": "K"}
PRODUCTION = DEVELOPMENT | {
    "ENV": "production",
    "PUBLIC_URL": "https://pay.example.com",
    "DATABASE_URL": "postgres://h/d",
}

# fmt: off
BAD = {
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
    "a merchant's number that is too long":     DEVELOPMENT | {"QFPAY_MCHID": "12345678901234567"},
    "an app code that is too long":            DEVELOPMENT | {"QFPAY_APP_CODE": "A" * 65},
    "a name that is too long":                 DEVELOPMENT | {"MERCHANT_NAME": "S" * 201},
    "a webhook at another machine by http":    DEVELOPMENT | {"MERCHANT_WEBHOOK_URL": "http://shop.test/hook"},
    "a webhook inside the network":            DEVELOPMENT | {"MERCHANT_WEBHOOK_URL": "http://192.168.1.5:5000/hook"},
    "a webhook with a fragment":               DEVELOPMENT | {"MERCHANT_WEBHOOK_URL": "https://shop.example/#hook"},
    "a pay type that is no choice":            DEVELOPMENT | {"MERCHANT_PAY_TYPES": "1"},
    "a device name with a space":              DEVELOPMENT | {"MERCHANT_UDID": "till 1"},
    "a device name that is too long":          DEVELOPMENT | {"MERCHANT_UDID": "t" * 41},
    "a frame of no wallet":                    DEVELOPMENT | {"MERCHANT_FRAME": "paypal"},
    "a wallet that stands there twice":        DEVELOPMENT | {"MERCHANT_WALLETS": "alipay,alipay_hk,alipay:HKD"},
    "a private webhook in production":         PRODUCTION | {"MERCHANT_WEBHOOK_URL": "https://10.0.0.5/hook"},
    "a webhook at a strange port":             PRODUCTION | {"MERCHANT_WEBHOOK_URL": "https://x.example:9443/hook"},
    "a loopback return origin in production":  PRODUCTION | {"MERCHANT_RETURN_ORIGINS": "https://localhost"},
}
# fmt: on


@pytest.mark.parametrize("env", BAD.values(), ids=BAD)
def test_it_stops_the_start_with_one_sentence(env: dict[str, str]) -> None:
    with pytest.raises(BadSetting) as stopped:
        Config.from_env(env)
    changed = [name for name in env if env[name] != PRODUCTION.get(name)]
    assert stopped.value.message.startswith(tuple(f"Set {name} " for name in changed))
    assert stopped.value.message.endswith(".")


def test_these_settings_are_good_otherwise() -> None:
    assert not Config.from_env(DEVELOPMENT).production
    assert Config.from_env(PRODUCTION).production


@pytest.mark.parametrize(
    "where",
    [{"base_url": "https://localhost"}, {"webhook_url": "https://localhost/h"}, {"return_origins": ("https://[::1]",)}],
)
def test_a_merchant_added_in_production_has_no_loopback_addresses(where: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        check_shop(Shop(name="S", app_code="A", client_key="K", **where), http_allowed=False)
