"""The payment call: checks an order, writes it down and answers the way to the wallet."""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from urllib.parse import urlencode

from .checks import Call, check_txdtm, require
from .context import here
from .facts import CURRENCIES, HONG_KONG, PAY_TYPES, Brand, Carries, PayType, Refusal, major, stamp
from .ledger import new_syssn
from .notifier import deliver_notice
from .rows import Order
from .scenarios import Scenario, asked_for

DEFAULT_MINUTES = 30
HK_ONLY = frozenset({"HKD"})
NEEDS = frozenset({"txamt", "txcurrcd", "pay_type", "out_trade_no", "txdtm"})
TAKES = frozenset({"goods_name", "mchid", "udid", "notify_url", "return_url", "txzone"})
REFUSED = {
    Scenario.NOT_ENOUGH_BALANCE: Refusal("1201"),
    Scenario.BUSY_1298: Refusal("1298"),
}


def create(call: Call) -> tuple[dict[str, object], Scenario | None]:
    """Answer a payment call (qfpay.md section 3) and say which scenario it runs under. 0000 means: not paid yet."""
    pay_type = _check(call)
    sandbox = here()
    scripted = sandbox.ledger.scripted(call.get("out_trade_no"))
    scenario = scripted or asked_for(int(call.get("txamt")), call.get("goods_name"))
    if scenario == Scenario.REFUSED_1104:
        raise Refusal("1104", "as the scenario wants it")
    order = _order(call, pay_type, scenario)
    sandbox.ledger.take_order(order)
    if scenario in REFUSED:
        raise REFUSED[scenario]
    if scenario == Scenario.NOTIFICATION_EARLY:
        _pay_and_tell(order)
    return _answer(order, pay_type), scenario


def _check(call: Call) -> PayType:
    """Refusal(1104) that names the parameter, or 1123 for an amount that the pay type is too good for."""
    pay_type = PAY_TYPES.get(call.get("pay_type"))
    if "pay_type" in call.params and (pay_type is None or pay_type.code not in call.credential.pay_types):
        raise Refusal("1104", "pay_type: is not enabled for this account")
    own = (pay_type.needs, pay_type.takes) if pay_type else (frozenset(), frozenset())
    require(call, needs=NEEDS | own[0], takes=TAKES | own[1])
    check_txdtm(call)
    assert pay_type is not None  # noqa: S101 - require() refuses a call without one
    currency = call.get("txcurrcd")
    enabled = call.credential.currencies & CURRENCIES.keys()
    if currency not in (enabled & HK_ONLY if pay_type.brand == Brand.ALIPAY_HK else enabled):
        raise Refusal("1104", "txcurrcd: is not enabled for this account and pay type")
    if pay_type.above_one_unit and int(call.get("txamt")) <= 10 ** CURRENCIES[currency]:
        raise Refusal("1123", f"txamt: must be more than 1 {currency}")
    return pay_type


def _order(call: Call, pay_type: PayType, scenario: Scenario | None) -> Order:
    heeded = pay_type.heeds_expired_time and call.get("expired_time")
    return Order(
        out_trade_no=call.get("out_trade_no"),
        token=_token(pay_type, call.now),
        app_code=call.app_code,
        syssn=new_syssn(call.now),
        pay_type=pay_type.code,
        amount=int(call.get("txamt")),
        currency=call.get("txcurrcd"),
        txdtm=call.get("txdtm"),
        created_at=call.now.replace(microsecond=0),
        expires_at=call.now + timedelta(minutes=int(heeded or DEFAULT_MINUTES)),
        closed_at=None,
        goods_name=call.get("goods_name"),
        mchid=call.get("mchid"),
        openid=call.get("openid"),
        udid=call.get("udid") or "qiantai2",
        return_url=call.get("return_url"),
        notify_url=call.get("notify_url"),
        scenario=scenario,
    )


def _token(pay_type: PayType, now: datetime) -> str:
    """What opens the wallet's page. Inside Alipay it is the tradeNO, which has a form of its own."""
    if pay_type.carries == Carries.PAY_PARAMS:
        return f"{now.astimezone(HONG_KONG):%Y%m%d}2200{secrets.randbelow(10**16):016d}"
    return secrets.token_urlsafe(16)


def _pay_and_tell(order: Order) -> None:
    sandbox = here()
    sandbox.ledger.pay(order.out_trade_no, app_code=order.app_code)
    for notice in sandbox.ledger.notices(order.out_trade_no):
        deliver_notice(sandbox, notice, sandbox.now())


def _answer(order: Order, pay_type: PayType) -> dict[str, object]:
    """The flat answer of section 3.4, with one field that leads to the wallet."""
    wrong = order.scenario == Scenario.WRONG_ECHO
    answer: dict[str, object] = {
        "sysdtm": stamp(order.created_at),
        "paydtm": stamp(order.created_at),
        "txcurrcd": order.currency,
        "respmsg": "",
        "pay_type": order.pay_type,
        "cardcd": "",
        "udid": order.udid,
        "txdtm": order.txdtm,
        "txamt": str(order.amount - wrong),
        "resperr": "交易成功",
        "out_trade_no": order.out_trade_no,
        "syssn": order.syssn,
        "respcd": "0000",
        "chnlsn": "",
    }
    if order.scenario != Scenario.NO_PAY_URL:
        answer |= _way_to_wallet(order, pay_type)
    return answer


def _way_to_wallet(order: Order, pay_type: PayType) -> Mapping[str, object]:
    if pay_type.carries == Carries.PAY_PARAMS:
        return {"pay_params": {"tradeNO": order.token}}
    if order.scenario == Scenario.EVIL_PAY_URL:
        return {pay_type.carries.value: "javascript:alert(document.domain)//" + order.token}
    address = f"{here().public_url}/wallet/{order.token}"
    if pay_type.carries == Carries.QRCODE:
        return {"qrcode": address}
    return {"pay_url": f"{address}?{urlencode(_alipay_like(order, pay_type))}"}


def _alipay_like(order: Order, pay_type: PayType) -> dict[str, str]:
    """Parameters that nobody reads: they make the address as long, and its QR code as dense, as a real one."""
    minutes = int((order.expires_at - order.created_at).total_seconds() // 60)
    deadline = {"timeout_rule": f"{minutes}m"} if pay_type.returns else {"order_valid_time": str(minutes * 60)}
    return {
        "service": pay_type.service,
        "partner": "2088000000000001",
        "_input_charset": "UTF-8",
        "out_trade_no": order.syssn,
        "subject": order.goods_name or "sandbox",
        "total_fee": major(order.amount, order.currency),
        "currency": order.currency,
        "product_code": "NEW_WAP_OVERSEAS_SELLER" if pay_type.returns else "NEW_OVERSEAS_SELLER",
        "payment_inst": "ALIPAYHK" if pay_type.brand == Brand.ALIPAY_HK else "ALIPAYCN",
        **deadline,
        "secondary_merchant_industry": "5812",
        "sign_type": "MD5",
        "sign": sha256(order.token.encode()).hexdigest()[:32],
    }
