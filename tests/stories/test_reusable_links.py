"""Reusable links: a poster on Bo's counter, a link in Bo's newsletter, and what becomes of whoever follows them."""

import html
import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from werkzeug.test import Client, TestResponse

from checkout.store.links import Link
from tests.stories.cast import PUBLIC, Merchant, World

FIXED = ("--name", "Counter", "--amount", "88.00", "--description", "A pot of oolong")
ENTERED = ("--name", "Any sum", "--least", "5", "--most", "2000")


def makes(world: World, bo: Merchant, *options: str) -> dict[str, Any]:
    done = world.app.test_cli_runner().invoke(args=["link", "add", bo.told.merchant_id, *options, "--json"])
    assert done.exit_code == 0, done.output
    return dict(json.loads(done.stdout))


def looks(world: World, link: dict[str, Any], query: str = "") -> TestResponse:
    return Client(world.app, use_cookies=False).get(urlsplit(link["url"]).path + query, base_url=PUBLIC)


def presses(world: World, link: dict[str, Any], once: str, amount: str = "", **headers: str) -> TestResponse:
    form = {"once": once} | ({"amount": amount} if amount else {})
    path = urlsplit(link["url"]).path
    return Client(world.app, use_cookies=False).post(path, base_url=PUBLIC, data=form, headers=headers)


def mark_on(page: TestResponse) -> str:
    return str(re.findall(r'name="once" value="(\w+)"', page.text)[0])


def leads_to(answer: TestResponse) -> str:
    assert answer.status_code == 303, answer.text
    return urlsplit(answer.headers["Location"]).path.removeprefix("/pay/")


def test_ada_pays_a_fixed_amount_and_stays_on_our_page(world: World, bo: Merchant) -> None:
    link = makes(world, bo, *FIXED)
    page = looks(world, link)
    assert "A pot of oolong" in page.text
    assert "HK$88.00" in page.text

    session = bo.reads({"id": leads_to(presses(world, link, mark_on(page)))})
    assert (session["amount"], session["reference"], session["description"]) == (8800, "LINK-1", "A pot of oolong")
    ada = world.shopper(session)
    ada.picks("alipay_hk")
    world.pays(session)
    world.passes(5)
    assert ada.stage() == "paid"
    assert not re.search(r"<[^>]* data-(return|countdown)", ada.page())  # there is no shop to go back to
    assert bo.reads(session)["status"] == "paid"


def test_a_link_with_a_shop_behind_it_leads_back_there(world: World, bo: Merchant) -> None:
    link = makes(world, bo, *FIXED, "--return-url", "https://shop.example/thanks")
    session = bo.reads({"id": leads_to(presses(world, link, mark_on(looks(world, link))))})
    ada = world.shopper(session)
    ada.cancels()
    assert ada.way_back().startswith("https://shop.example/thanks?session_id=")


def test_looking_opens_nothing_and_two_presses_open_one(world: World, bo: Merchant) -> None:
    link = makes(world, bo, *FIXED)
    pages = [looks(world, link) for _ in range(3)]
    assert len({mark_on(page) for page in pages}) == 3
    with ThreadPoolExecutor(4) as hurry:
        opened = set(hurry.map(lambda _: leads_to(presses(world, link, mark_on(pages[0]))), range(4)))
    assert len(opened) == 1
    assert leads_to(presses(world, link, mark_on(pages[1]))) not in opened
    with world.parts.sessions() as db:
        assert db.get_one(Link, link["id"]).opened == 2


def test_a_shopper_enters_the_amount(world: World, bo: Merchant) -> None:
    link = makes(world, bo, *ENTERED)
    page = looks(world, link)
    mark = mark_on(page)
    assert "From HK$5.00 to HK$2,000.00" in page.text
    for written, amount in (("88", 8800), ("1,234.50", 123450), ("ＨＫ＄８８．５", 8850), ("HK$ 5", 500)):
        session_id = leads_to(presses(world, link, mark, written))
        assert world.row({"id": session_id}).amount == amount
        assert leads_to(presses(world, link, mark, written)) == session_id
    for written, said in (
        ("", "Enter the amount"),
        ("abc", "This is not an amount"),
        ("1,5", "This is not an amount"),
        ("88.005", "too many digits after the point for HKD"),
        ("4.99", "must be at least HK$5.00"),
        ("2000.01", "must be at most HK$2,000.00"),
        ("9" * 30, "must be at most"),
        ("<script>", "This is not an amount"),
    ):
        answer = presses(world, link, mark, written)
        assert answer.status_code == 400
        assert said in html.unescape(answer.text)
        assert "<script>" not in answer.text.split("</main>")[0]


def test_yen_have_no_cents(world: World, bo: Merchant) -> None:
    link = makes(world, bo, "--name", "Yen", "--currency", "JPY", "--most", "50000")
    mark = mark_on(looks(world, link))
    assert world.row({"id": leads_to(presses(world, link, mark, "1,980"))}).amount == 1980
    assert "too many digits after the point for JPY" in presses(world, link, mark, "19.8").text


def test_a_link_ends_when_bo_says_so(world: World, bo: Merchant) -> None:
    link = makes(world, bo, *FIXED)
    mark = mark_on(looks(world, link))
    cli = world.app.test_cli_runner()
    assert "out of use" in cli.invoke(args=["link", "disable", link["id"]]).output
    assert (looks(world, link).status_code, presses(world, link, mark).status_code) == (410, 410)
    assert "Nothing was charged" in looks(world, link).text
    assert "in use" in cli.invoke(args=["link", "enable", link["id"]]).output
    assert leads_to(presses(world, link, mark))
    listed = json.loads(cli.invoke(args=["link", "list", bo.told.merchant_id]).stdout.splitlines()[-1])
    assert (listed["opened"], listed["paid"], listed["url"]) == (1, 0, link["url"])


def test_a_link_for_one_payment_ends_with_it_and_another_with_its_day(world: World, bo: Merchant) -> None:
    once = makes(world, bo, *FIXED, "--max-paid", "1")
    day = makes(world, bo, *FIXED, "--expires-at", f"{world.clock.now + timedelta(days=1):%Y-%m-%dT%H:%M}")
    session = bo.reads({"id": leads_to(presses(world, once, mark_on(looks(world, once))))})
    assert looks(world, once).status_code == 200  # opened is not paid
    world.shopper(session).picks("alipay_hk")
    world.pays(session)
    world.passes(5)
    assert looks(world, once).status_code == 410
    assert looks(world, day).status_code == 200
    world.clock.now += timedelta(days=1)
    assert looks(world, day).status_code == 410


def test_a_second_press_leads_to_ones_own_session_also_when_all_places_are_taken(world: World, bo: Merchant) -> None:
    for limits, amount in (((*FIXED, "--max-paid", "2"), ""), ((*ENTERED, "--max-paid", "1"), "20.00")):
        link = makes(world, bo, *limits)
        marks = [mark_on(looks(world, link)) for _ in range(3)]
        for mark in marks[: 2 if amount == "" else 1]:
            session = leads_to(presses(world, link, mark, amount))
            assert leads_to(presses(world, link, mark, amount)) == session
        assert presses(world, link, marks[-1], amount).status_code == 409, "there is no place for somebody else"
        assert leads_to(presses(world, link, marks[0], amount)), "also when it is full"
        cli = world.app.test_cli_runner()
        assert cli.invoke(args=["link", "disable", link["id"]]).exit_code == 0
        assert presses(world, link, marks[-1], amount).status_code == 410
        assert presses(world, link, "rubbish", amount).status_code == 410


def test_a_link_that_is_off_leads_nobody_new_to_the_session_that_it_began(world: World, bo: Merchant) -> None:
    link = makes(world, bo, *FIXED, "--max-paid", "1")
    first, other = mark_on(looks(world, link)), mark_on(looks(world, link))
    session = leads_to(presses(world, link, first))
    assert leads_to(presses(world, link, other)) == session, "for one payment there is one session"
    assert world.app.test_cli_runner().invoke(args=["link", "disable", link["id"]]).exit_code == 0
    assert presses(world, link, "x" * len(other)).status_code == 410
    assert leads_to(presses(world, link, first)) == session, "whoever has begun may go on"


def test_a_link_that_nobody_made_is_not_there(world: World, bo: Merchant) -> None:
    for token in ("x" * 22, "x", "x" * 23, "é" * 22, "../pay"):
        answer = Client(world.app).get(f"/l/{token}", base_url=PUBLIC)
        assert answer.status_code == 404
    link = makes(world, bo, *FIXED)
    assert presses(world, link, mark_on(looks(world, link)), Origin="https://evil.example").status_code == 403


def test_a_link_says_no_before_it_is_made(world: World, bo: Merchant) -> None:
    shop = world.merchant("Cy's Coffee", return_origins=["https://shop.example"], wallets=["alipay_hk"])
    cli = world.app.test_cli_runner()
    for options, said in (
        (("--currency", "USD"), "--currency none of this merchant's wallets takes USD"),
        (("--return-url", "https://evil.example/"), "--return_url must be on one of this merchant's return origins"),
        (("--least", "9", "--most", "8"), "nothing fits between them"),
        (("--amount", "8.888"), "--amount HKD has 2 decimals"),
        (("--expires-at", "2020-01-01"), "--expires_at must be in the future"),
    ):
        done = cli.invoke(args=["link", "add", shop.told.merchant_id, "--name", "No", *options])
        assert (done.exit_code, said in done.output) == (1, True), done.output


def test_a_link_and_its_poster_speak_three_languages(world: World, bo: Merchant) -> None:
    link = makes(world, bo, *FIXED)
    for asked, lang in (("zh-hk", "zh-HK"), ("zh-cn", "zh-CN"), ("en", "en")):
        assert f'<html lang="{lang}">' in looks(world, link, f"?lang={asked}").text
    poster = looks(world, {"url": link["poster"]}).text
    assert re.findall(r'<p lang="([\w-]+)">', poster) == ["zh-HK", "zh-CN", "en"]
    assert "AlipayHK" in poster
    assert link["url"] in poster
