"""User agents as they are sent, and what we think of them."""

import pytest

from checkout.domain.devices import Device, device_of

SAFARI = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0"
CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)"

APP = "AppleWebKit/605.1.15 Mobile/15E148"
DESKTOP, MOBILE, TABLET, IN_WALLET, BOT = Device

# fmt: off
AGENTS = {
    "Windows":           (DESKTOP,   f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36"),
    "macOS":             (DESKTOP,   f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {SAFARI} Safari/605.1.15"),
    "Linux, Firefox":    (DESKTOP,   "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    "nothing":           (DESKTOP,   ""),
    "curl":              (DESKTOP,   "curl/8.5.0"),
    "iPhone":            (MOBILE,    f"{IPHONE} {SAFARI} Mobile/15E148 Safari/604.1"),
    "iPhone, Chrome":    (MOBILE,    f"{IPHONE} AppleWebKit/605.1.15 CriOS/140.0 Mobile/15E148 Safari/604.1"),
    "Android":           (MOBILE,    f"Mozilla/5.0 (Linux; Android 10; K) {CHROME} Mobile Safari/537.36"),
    "Android, Firefox":  (MOBILE,    "Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0"),
    "WeChat":            (MOBILE,    f"{IPHONE} {APP} MicroMessenger/8.0.50 Language/zh_CN"),
    "Opera Mini":        (MOBILE,    "Opera/9.80 (J2ME/MIDP; Opera Mini/9.80) Presto/2.5.25 Version/10.54"),
    "iPad, old":         (TABLET,    f"Mozilla/5.0 (iPad; CPU OS 12_2 like Mac OS X) {SAFARI} Mobile/15E148"),
    "Android tablet":    (TABLET,    f"Mozilla/5.0 (Linux; Android 13; SM-X700) {CHROME} Safari/537.36"),
    "Fire tablet":       (TABLET,    "Mozilla/5.0 (Linux; U; Android 4.4.3; KFTHWI) AppleWebKit/537.36 Silk/44"),
    "Alipay":            (IN_WALLET, f"{IPHONE} {APP} AlipayDefined AliApp(AP/10.5.0) AlipayClient/10.5.0"),
    "AlipayHK":          (MOBILE,    f"{IPHONE} {APP} AliApp(APHK/5.8.0) AlipayClientHK/5.8.0 AlipayClient/5.8.0"),
    "WhatsApp preview":  (BOT,       "WhatsApp/2.23.20.0 A"),
    "Facebook preview":  (BOT,       "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)"),
    "Slack preview":     (BOT,       "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"),
    "Telegram preview":  (BOT,       "TelegramBot (like TwitterBot)"),
    "Google on a phone": (BOT,       f"Mozilla/5.0 (Linux; Android 6.0.1) {CHROME} Mobile (compatible; Googlebot/2.1)"),
}
# fmt: on


@pytest.mark.parametrize(("device", "agent"), AGENTS.values(), ids=AGENTS)
def test_a_browser_is_read_as(device: Device, agent: str) -> None:
    assert device_of(agent) is device


def test_a_long_agent_is_read_in_part() -> None:
    assert device_of("x" * 512 + "iPhone") is Device.DESKTOP
    assert device_of("iPhone" + "x" * 10**6) is Device.MOBILE
