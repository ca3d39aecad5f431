"""What QFPay's documents fix: time zone, currencies, pay types, texts of status codes."""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import StrEnum

HONG_KONG = timezone(timedelta(hours=8), "HKT")
STAMP = "%Y-%m-%d %H:%M:%S"


def stamp(moment: datetime) -> str:
    """Write an aware moment as QFPay does: Hong Kong wall time."""
    return moment.astimezone(HONG_KONG).strftime(STAMP)


# Digits after the decimal point; QFPay states none for IDR and MMK, so ISO 4217 decides.
# fmt: off
CURRENCIES = {
    "AED": 2, "CNY": 2, "EUR": 2, "HKD": 2, "IDR": 2, "JPY": 0, "MMK": 2,
    "MYR": 2, "SGD": 2, "THB": 2, "USD": 2, "CAD": 2, "AUD": 2,
}
# fmt: on


def major(amount: int, currency: str) -> str:
    """Write minor units as the plain number in which wallets count: 1234 HKD is 12.34, 1234 JPY is 1234."""
    digits = CURRENCIES[currency]
    if not digits:
        return str(amount)
    return f"{amount // 10**digits}.{amount % 10**digits:0{digits}d}"


def money(amount: int, currency: str) -> str:
    """Write minor units for people, with the currency: HKD 1,234.50."""
    whole, _, fraction = major(amount, currency).partition(".")
    return f"{currency} {int(whole):,}" + (f".{fraction}" if fraction else "")


class Brand(StrEnum):
    """Whose wallet opens the code."""

    ALIPAY = "alipay"
    ALIPAY_HK = "alipay_hk"


class Carries(StrEnum):
    """The field in which the answer to a payment call leads to the wallet."""

    PAY_URL = "pay_url"
    QRCODE = "qrcode"
    PAY_PARAMS = "pay_params"


@dataclass(frozen=True)
class PayType:
    """One row of qfpay.md section 3.2."""

    code: str
    label: str
    brand: Brand
    carries: Carries
    service: str = ""  # what the wallet's address calls itself
    returns: bool = False  # the wallet sends the shopper back after paying
    needs: frozenset[str] = frozenset()
    takes: frozenset[str] = frozenset()
    heeds_expired_time: bool = True
    above_one_unit: bool = False


WAP_NEEDS = frozenset({"goods_name", "return_url", "notify_url"})  # the strict reading of section 3.3
# Listed on QFPay's WAP page; only mainland wallets act on it (section 3.1).
LIMIT = frozenset({"limit_pay"})
LIFE = frozenset({"expired_time"})  # of section 3.5; 800107 is on no list of it
WEB, WAP = "create_forex_trade", "create_forex_trade_wap"

# fmt: off
PAY_TYPES = {row.code: row for row in (
    PayType("801101", "Web, overseas", Brand.ALIPAY, Carries.PAY_URL, WEB, takes=LIMIT | LIFE, above_one_unit=True),
    PayType("801514", "Web, Hong Kong", Brand.ALIPAY_HK, Carries.PAY_URL, WEB, takes=LIMIT | LIFE,
            heeds_expired_time=False),
    PayType("801107", "WAP, overseas", Brand.ALIPAY, Carries.PAY_URL, WAP, returns=True, needs=WAP_NEEDS,
            takes=LIMIT | LIFE),
    PayType("801512", "WAP, Hong Kong", Brand.ALIPAY_HK, Carries.PAY_URL, WAP, returns=True, needs=WAP_NEEDS,
            takes=LIMIT | LIFE),
    PayType("800107", "inside the Alipay app", Brand.ALIPAY, Carries.PAY_PARAMS,
            needs=frozenset({"openid"}), takes=LIMIT | {"openid"}),
    PayType("801501", "QR code, Hong Kong", Brand.ALIPAY_HK, Carries.QRCODE, takes=LIMIT | LIFE | {"pay_tag"}),
    PayType("800101", "QR code, overseas", Brand.ALIPAY, Carries.QRCODE, takes=LIFE),
)}
# fmt: on

REVERSIBLE = frozenset({"800101", "801501"})
CLOSABLE = frozenset({"801514"})

# Chinese on purpose: the real texts may be, and nobody may show them to a shopper.
TEXTS = {
    "0000": "交易成功",
    "1103": "格式錯誤",
    "1104": "參數錯誤",
    "1108": "簽名錯誤",
    "1123": "金額受限",
    "1125": "訂單已退款",
    "1142": "訂單已關閉",
    "1143": "訂單未支付，用戶輸入密碼中",
    "1145": "處理中，請稍候",
    "1146": "業務失敗",
    "1181": "訂單已過期",
    "1201": "餘額不足",
    "1203": "商戶賬號錯誤",
    "1251": "out_trade_no already used",
    "1260": "訂單已支付",
    "1261": "訂單未支付",
    "1262": "訂單已退款",
    "1264": "訂單已關閉",
    "1265": "23:30-00:30 不允許退款",
    "1266": "金額不符",
    "1267": "訂單信息不符",
    "1268": "訂單不存在",
    "1269": "未結算金額不足",
    "1272": "退款金額超過可退金額",
    "1296": "系統繁忙，請稍後重試或使用其他支付方式",
    "1297": "銀行系統繁忙",
    "1298": "系統繁忙，如已支付請勿重複支付",
}


class Refusal(Exception):
    """QFPay says no: `code` is the status code, the text names the parameter at fault."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
