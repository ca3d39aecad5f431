"""Time to a visible QR code in Chromium, on a slow processor and a slow network."""

import os
import shutil
import statistics
from typing import TYPE_CHECKING

from bench.deployment import Running, databases, running
from bench.load import HOST
from bench.tables import table

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

RUNS = 5
PROCESSOR = 4  # times slower
# Lighthouse's "slow 4G" as applied throttling: 1.6 Mbit/s x 0.9, 150 ms RTT x 3.75 for each request.
NETWORK = {
    "offline": False,
    "latency": 562.5,
    "downloadThroughput": 1474.56 * 1024 / 8,
    "uploadThroughput": 675 * 1024 / 8,
}
# Runs in the page before anything else: when the code has a size and a frame with it has been drawn.
WATCH = """
const seen = () => (document.documentElement.dataset.qrSeen = performance.now());
const look = () => {
  const box = document.querySelector("svg[data-qr]")?.getBoundingClientRect();
  requestAnimationFrame(box && box.width > 0 ? () => setTimeout(seen) : look);
};
look();
"""
FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"


def measure() -> list[str]:
    """One table, or a sentence why there is none."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return ["No browser was measured: playwright is not installed (it is locked in tests/requirements.txt).\n"]
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        return ["No browser was measured: Chromium is not installed.\n"]
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-proxy-server"]
    with sync_playwright() as playwright, databases() as urls, running(urls["SQLite"]) as served:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        opened = [_opened(browser, served, number) for number in range(RUNS)]
        pressed = [_pressed(browser, served, RUNS + number) for number in range(RUNS)]
        browser.close()
    rows = [
        ["page with a code, opened", *(f"{statistics.median(column):.0f}" for column in zip(*opened, strict=True))],
        ["wallet's button, pressed", *(f"{statistics.median(column):.0f}" for column in zip(*pressed, strict=True))],
    ]
    title = f"Chromium, CPU x {PROCESSOR}, Lighthouse's slow 4G (562 ms, 1.4 Mbit/s): median of {RUNS}, cold cache"
    return [table(title, ("what", "first paint ms", "QR visible ms", "requests until then"), rows)]


def _opened(browser: "Browser", served: Running, number: int) -> tuple[float, float, float]:
    session = served.opens(number)
    served.picks(session)
    page, seen = _slow_page(browser)
    page.goto(f"http://{HOST}:{served.port}/pay/{session}", wait_until="commit")
    return _result(page, seen)


def _pressed(browser: "Browser", served: Running, number: int) -> tuple[float, float, float]:
    """From the press to the code: our POST with the gateway's 150 ms in it, its redirect, and the page."""
    page, seen = _slow_page(browser)
    page.goto(f"http://{HOST}:{served.port}/pay/{served.opens(number)}")
    seen.clear()
    page.click("button[value=alipay_hk]", no_wait_after=True)
    return _result(page, seen)  # a navigation's clock starts when its form was sent


def _result(page: "Page", seen: list[str]) -> tuple[float, float, float]:
    """First paint, visible code and requests; a selector, because the page's policy forbids to wait by a script."""
    when = page.wait_for_selector("html[data-qr-seen]", state="attached")
    requests = len(seen)
    assert when is not None
    result = float(page.evaluate(FIRST_PAINT)), float(when.get_attribute("data-qr-seen") or 0), float(requests)
    page.context.close()
    return result


def _slow_page(browser: "Browser") -> "tuple[Page, list[str]]":
    page = browser.new_context().new_page()
    page.add_init_script(WATCH)
    wire = page.context.new_cdp_session(page)
    wire.send("Network.enable")
    wire.send("Network.emulateNetworkConditions", NETWORK)
    wire.send("Emulation.setCPUThrottlingRate", {"rate": PROCESSOR})
    seen: list[str] = []
    page.on("request", lambda request: seen.append(request.url) if not request.url.startswith("data:") else None)
    return page, seen
