"""The cast at their screens: what Ada does and sees in a browser, told in her words."""

import io
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import zxingcpp
from PIL import Image
from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, expect

from tests.browser.ensemble import Ensemble

SOON = 20_000  # milliseconds: two enquiries and a poll, on a busy machine
expect.set_options(timeout=SOON)
PHONE = "iPhone 14"


class Person:
    """One browser context and the page in front of somebody."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.complaints: list[str] = []
        context.on("console", self._note)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        context.add_init_script(
            "addEventListener('securitypolicyviolation', (e) =>"
            " console.error('policy', e.violatedDirective, e.blockedURI, e.sourceFile, e.lineNumber))"
        )
        self.page: Page = context.new_page()
        self.page.set_default_timeout(SOON)

    def _note(self, message: ConsoleMessage) -> None:
        # Chromium reports a failed load there too; a story that breaks the network on purpose knows that.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.complaints.append(message.text)

    # --- at the shop

    def orders(self, ensemble: Ensemble) -> None:
        """Buys what the demo shop suggests, and arrives at the checkout."""
        self.page.goto(f"{ensemble.url}/demo/")
        self.page.locator("form[method=post] button").first.click()
        self.sees("choose")

    def is_thanked(self, ensemble: Ensemble) -> None:
        """Stands in the shop again, which believes the payment because of a webhook that it verified."""
        self.page.wait_for_url(re.compile(r"/demo/orders/[^/]+/thanks\?"))
        expect(self.page.locator("main[data-order-status=paid] h1")).to_contain_text("Thank you", timeout=SOON)
        number = urlsplit(self.page.url).path.split("/")[-2]
        back = self.context.new_page()
        back.goto(f"{ensemble.url}/demo/orders")
        order = back.locator(f"[data-order='{number}']")
        expect(order).to_have_attribute("data-order-status", "paid")
        expect(order.locator("[data-webhook]")).to_contain_text("checkout_session.paid")
        expect(order.locator("[data-webhook]")).to_contain_text("verified")
        expect(order.locator("[data-return=verified]")).to_contain_text("paid")
        back.close()

    # --- at the checkout

    @property
    def session_id(self) -> str:
        found = re.search(r"/pay/(cs_\w+)", self.page.url)
        assert found, self.page.url
        return found[1]

    def opens(self, url: str) -> None:
        self.page.goto(url)

    def picks(self, wallet: str) -> None:
        self.page.locator(f"button[name=wallet][value={wallet}]").click()

    def sees(self, stage: str) -> None:
        """The page is, or becomes without her doing, the screen of this stage."""
        expect(self.page.locator(f"main[data-stage={stage}]")).to_be_visible(timeout=SOON)

    def scans(self) -> str:
        """Reads the code as a camera does: from the pixels on the screen, nothing else."""
        expect(self.page.locator("svg[data-qr]")).to_be_visible()
        return self.decodes(self.page.screenshot())

    def reads(self, code: Locator) -> str:
        """One code of several, or one that the window would cut off."""
        return self.decodes(code.screenshot())

    @staticmethod
    def decodes(picture: bytes) -> str:
        # QR codes alone: one row in some hundred large codes reads as a bar code of a few characters.
        only = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
        read = zxingcpp.read_barcodes(Image.open(io.BytesIO(picture)), formats=only)
        assert len(read) == 1, f"{len(read)} codes in the picture"
        return read[0].text

    def sideways(self) -> int:
        """How many pixels of the page lie outside the window, to the right."""
        return int(self.page.evaluate("document.scrollingElement.scrollWidth - innerWidth"))

    # --- with time that stands still

    def stops_the_clock(self) -> None:
        """From here on her page's time passes only when the story says so. Before, it has to run on `clock.install()`.

        An hour ahead: what a slow machine took to come here cannot lie beyond it.
        """
        self.page.clock.pause_at(datetime.now(UTC) + timedelta(hours=1))

    def lets_pass(self, seconds: float) -> None:
        self.page.clock.run_for(int(seconds * 1000))

    def never_leaves_by_herself(self) -> None:
        """The page of a paid order goes back to the shop after five seconds, on a slow machine amid the story."""
        self.page.clock.set_fixed_time("2026-03-10T04:00:00Z")

    # --- in the wallet

    def pays(self) -> None:
        self.page.locator("button[value=pay]").click()
