"""The WooCommerce plugin: its own tests, its languages, and a shop of it against the real product."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

from tests.integrations.cast import PATIENCE, Market, Merchant, interpreter
from tests.servers import LOOPBACK, REPOSITORY, Process, free_port, wait_until

PLUGIN = REPOSITORY / "integrations/woocommerce/sampan-checkout"
TESTS = Path(__file__).parent / "woocommerce"
LANGUAGES = ("zh_HK", "zh_CN")


def test_the_plugins_own_tests_pass() -> None:
    command = [interpreter("phpunit"), "--do-not-cache-result", "--no-configuration", str(TESTS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout
    assert re.search(r"OK \((\d\d+) tests", done.stdout), done.stdout


def test_every_file_of_php_is_php() -> None:
    files = [str(path) for path in sorted((REPOSITORY / "integrations").rglob("*.php"))]
    done = [subprocess.run([interpreter("php"), "-l", file], capture_output=True, text=True) for file in files]  # noqa: PLW1510

    assert len(files) > 10
    assert [one.stdout for one in done if one.returncode] == []


def test_without_woocommerce_it_says_so_to_who_can_mend_it_and_does_nothing_else() -> None:
    command = [interpreter("php"), str(TESTS / "alone.php")]
    owner, clerk, rest = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")

    assert re.fullmatch(r'<div class="notice notice-warning"><p>[^<]*needs WooCommerce[^<]*</p></div>', owner)
    assert (clerk, json.loads(rest)) == ("", [[], []])


BROWSER = """
const told = { title: "AlipayHK &amp; Alipay", description: "Scan", supports: ["products", "refunds"] };
let method;
globalThis.window = {
  wc: {
    wcBlocksRegistry: { registerPaymentMethod: (made) => (method = made) },
    wcSettings: { getSetting: () => told },
  },
  wp: {
    element: { createElement: (...made) => made },
    htmlEntities: { decodeEntities: (text) => text.replace("&amp;", "&") },
  },
};
require(process.argv[1]);
const drawn = method.content[0]()[2];
console.log(JSON.stringify([method.name, method.label, drawn, method.canMakePayment(), method.supports.features]));
"""


def test_the_block_checkouts_script_registers_the_way_to_pay() -> None:
    command = [interpreter("node"), "-e", BROWSER, str(PLUGIN / "assets/blocks.js")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert json.loads(done.stdout) == ["sampan", "AlipayHK & Alipay", "Scan", True, ["products", "refunds"]]


def texts() -> set[str]:
    code = "".join(path.read_text("utf-8") for path in PLUGIN.rglob("*.php"))
    return set(re.findall(r"__\('((?:[^'\\]|\\.)*)', 'sampan-checkout'\)", code))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated_and_compiled(language: str) -> None:
    name = f"languages/sampan-checkout-{language}"
    with (PLUGIN / f"{name}.po").open("rb") as po, (PLUGIN / f"{name}.mo").open("rb") as mo:
        written = {message.id: message.string for message in read_po(po) if message.id}
        compiled = {message.id: message.string for message in read_mo(mo) if message.id}

    assert set(written) == texts()
    assert written == compiled
    for text, translated in written.items():
        assert translated
        assert sorted(re.findall(r"%(?:\d\$)?s", str(text))) == sorted(re.findall(r"%(?:\d\$)?s", str(translated)))


class Shop:
    """Bo's WordPress behind `php -S`, driven as a shopper and a clerk would."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __call__(self, path: str) -> dict[str, Any]:
        answer = requests.get(self.url + path, timeout=PATIENCE)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def order(self, number: int) -> dict[str, Any]:
        return dict(self(f"/look?order={number}")["order"])

    def becomes(self, number: int, status: str) -> None:
        wait_until(lambda: self.order(number)["status"] == status, PATIENCE, lambda: str(self.order(number)))


@pytest.fixture(scope="module")
def bo(market: Market, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shop, Merchant]]:
    port = free_port()
    url = f"http://{LOOPBACK}:{port}"
    merchant = market.open_shop(webhook_url=f"{url}/wp-json/sampan/v1/webhook")
    env = {
        "SHOP_STATE": str(tmp_path_factory.mktemp("shop") / "state"),
        "SHOP_URL": url,
        "SAMPAN": market.url,
        "SK": merchant.api_key,
        "WHSEC": merchant.webhook_secret,
    }
    with Process([interpreter("php"), "-S", f"{LOOPBACK}:{port}", str(TESTS / "shop.php")], env) as process:
        process.wait_for(f"{url}/look")
        yield Shop(url), merchant


def placed(shop: Shop, total: str) -> tuple[int, dict[str, Any]]:
    answer = shop(f"/order?total={total}")
    assert answer["result"] == "success", answer
    return answer["order"], {"id": answer["redirect"].rpartition("/")[2], "url": answer["redirect"]}


def test_an_order_is_paid_by_webhook_and_partly_refunded(market: Market, bo: tuple[Shop, Merchant]) -> None:
    shop, merchant = bo
    number, session = placed(shop, "128.50")
    assert shop(f"/pay?order={number}")["redirect"] == session["url"]
    market.is_paid(merchant, session)
    shop.becomes(number, "processing")

    assert shop(f"/refund?order={number}&amount=8.50") == {"error": None}
    wait_until(lambda: "8.50 HKD went back" in str(shop.order(number)["notes"]), PATIENCE, lambda: str(shop("/look")))
    assert [refund["amount"] for refund in shop.order(number)["refunds"]] == ["8.50"]
    assert "12000" in shop(f"/refund?order={number}&amount=120.01")["error"]
    assert len(shop.order(number)["refunds"]) == 1


def test_the_way_back_is_believed_when_sampan_itself_agrees(market: Market, bo: tuple[Shop, Merchant]) -> None:
    shop, merchant = bo
    number, session = placed(shop, "88.00")
    market.is_paid(merchant, session)

    back = market.way_back(session)
    assert back.startswith(f"{shop.url}/checkout/order-received/{number}/?key=")
    assert shop(back.removeprefix(shop.url))["order"]["status"] == "processing"
