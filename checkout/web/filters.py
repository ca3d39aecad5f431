"""How amounts and times are written for people, by language."""

from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache

from babel.dates import format_date, format_datetime
from babel.numbers import format_currency
from flask import Flask

from checkout.domain.locales import BABEL, Lang
from checkout.domain.money import CURRENCIES, exponent
from checkout.gateway.months import HONG_KONG
from checkout.web import language

# Where a bare $ or ¥ could be read as another country's: a shopper abroad must not guess.
# fmt: off
_SYMBOLS = {
    Lang.EN:    {"HKD": "HK$", "USD": "US$", "CNY": "CN¥", "JPY": "JP¥"},
    Lang.ZH_HK: {"HKD": "HK$", "USD": "US$", "CNY": "CN¥", "JPY": "JP¥"},
    Lang.ZH_CN: {"HKD": "HK$", "USD": "US$", "CNY": "¥",   "JPY": "JP¥"},
}
_MOMENT = {Lang.EN: "d MMM y, HH:mm", Lang.ZH_HK: "y年M月d日 HH:mm", Lang.ZH_CN: "y年M月d日 HH:mm"}
_CLOCK = {Lang.EN: "d MMM y, HH:mm:ss", Lang.ZH_HK: "y年M月d日 HH:mm:ss", Lang.ZH_CN: "y年M月d日 HH:mm:ss"}
_DATES = {
    "day":   {Lang.EN: "EEE d MMM", Lang.ZH_HK: "M月d日 EEE", Lang.ZH_CN: "M月d日 EEE"},
    "month": {Lang.EN: "MMMM y",    Lang.ZH_HK: "y年M月",     Lang.ZH_CN: "y年M月"},
}
_ZONE = {Lang.EN: "HKT", Lang.ZH_HK: "香港時間", Lang.ZH_CN: "香港时间"}
# fmt: on


def install(app: Flask) -> None:
    app.add_template_filter(lambda amount, currency: money(amount, currency, language.current()), "money")
    app.add_template_filter(lambda moment: hong_kong_time(moment, language.current()), "hkt")


@lru_cache(maxsize=4096)
def money(amount: int, currency: str, lang: Lang) -> str:
    """Minor units as text: `HK$1,088.00`, `JP¥1,980`. No float on the way.

    The gateway may name a currency that we do not know, or none: then it is `TWD 108800`, as it came.
    """
    if currency not in CURRENCIES:
        return f"{currency or '?'} {amount}"
    decimals = exponent(currency)
    pattern = "¤#,##0" + ("." + "0" * decimals if decimals else "")
    value = Decimal(amount).scaleb(-decimals)
    text = format_currency(value, "XXX", locale=BABEL[lang], format=pattern, currency_digits=False)
    return _SYMBOLS[lang].get(currency, f"{currency} ") + text.removeprefix("¤").removeprefix("XXX").lstrip("\xa0 ")


def hong_kong_time(moment: datetime, lang: Lang) -> str:
    """A moment as a clock in Hong Kong shows it, and says so."""
    text = format_datetime(moment, _MOMENT[lang], tzinfo=HONG_KONG, locale=BABEL[lang])
    return f"{text} {_ZONE[lang]}"


def hong_kong_clock(moment: datetime, lang: Lang) -> str:
    """To the second, and without the zone: for lists whose every line is Hong Kong time."""
    return format_datetime(moment, _CLOCK[lang], tzinfo=HONG_KONG, locale=BABEL[lang])


def date_in_words(day: date, what: str, lang: Lang) -> str:
    """A `day`, or the `month` that it lies in, as people write it."""
    return format_date(day, _DATES[what][lang], locale=BABEL[lang])
