"""Where the shopper is, read from the browser's user agent: tables, first match wins."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

LONGEST = 512  # characters of a user agent that are read


class Device(StrEnum):
    DESKTOP = "desktop"
    MOBILE = "mobile"
    TABLET = "tablet"  # the wallet is usually on the phone beside it: treated as a desktop that may jump too
    IN_WALLET = "in_wallet"  # inside Alipay itself
    BOT = "bot"  # link previews and crawlers: they read, and never pay
    UNKNOWN = "unknown"  # no signal, or several that contradict: shown both ways


class App(StrEnum):
    """An app that shows pages in a browser of its own."""

    ALIPAY_HK = "alipay_hk"
    ALIPAY = "alipay"
    WECHAT = "wechat"
    WECOM = "wecom"
    MESSENGER = "messenger"
    FACEBOOK = "facebook"
    INSTAGRAM = "instagram"
    LINE = "line"
    WHATSAPP = "whatsapp"
    WEIBO = "weibo"
    RED = "red"
    DOUYIN = "douyin"
    TIKTOK = "tiktok"
    QQ = "qq"
    WEBVIEW = "webview"  # some app: which one, it does not say


@dataclass(frozen=True)
class Agent:
    device: Device
    app: App | None = None
    android: bool = False

    def __str__(self) -> str:
        """As `data-agent` says it: the device, then the app if there is one."""
        return f"{self.device} {self.app}" if self.app else str(self.device)

    @property
    def jumps(self) -> bool:
        """Whether a tap goes to the wallet at once, instead of showing a code."""
        return self.device in (Device.MOBILE, Device.IN_WALLET)

    @property
    def way_out(self) -> "WayOut | None":
        """How to leave this app for a browser; None where nothing keeps the wallet from opening, as far as we know."""
        return WAYS_OUT.get(self.app) if self.app and self.device in (Device.MOBILE, Device.TABLET) else None


@dataclass(frozen=True)
class WayOut:
    """How a page leaves an app that keeps wallets from opening. `name` is a brand: no translator sees it."""

    name: str
    # `line`: an argument of the address that LINE obeys. `intent`: Android's own link to the default browser.
    # WeChat and its kin obey neither; there only the app's menu leads out.
    by: Literal["line", "intent", "menu"]
    # Where the app draws the menu that holds “Open in browser”, on Android and on iPhones.
    android_corner: Literal["top", "bottom"] = "top"
    ios_corner: Literal["top", "bottom"] = "top"


# fmt: off
APPS: tuple[tuple[str, App], ...] = (
    # AlipayHK also says AlipayClient, so it stands first (features.md section 5).
    (r"AliApp\(APHK|AlipayClientHK",              App.ALIPAY_HK),
    (r"AlipayClient|AliApp\(AP/|AlipayDefined",   App.ALIPAY),
    # WeCom says MicroMessenger too.
    (r"wxwork/",                                  App.WECOM),
    (r"MicroMessenger",                           App.WECHAT),
    # Messenger is one of Facebook's; “Messenger” alone stands in MicroMessenger too.
    (r"MessengerForiOS|Orca-Android|MessengerLite", App.MESSENGER),
    (r"\bInstagram\b",                            App.INSTAGRAM),
    (r"FBAN|FBAV|FB_IAB|FBIOS|FB4A",              App.FACEBOOK),
    (r"\bLine/\d",                                App.LINE),
    (r"\bWhatsApp/",                              App.WHATSAPP),
    (r"\bWeibo\b|__weibo__",                      App.WEIBO),
    (r"\bdiscover/\d|\bXHS\b|xiaohongshu|com\.xingin", App.RED),
    (r"\baweme",                                  App.DOUYIN),
    (r"musical_ly|\btrill_|TikTok|BytedanceWebview", App.TIKTOK),
    (r"\bQQ/\d|\bQzone/",                         App.QQ),
    (r"; wv\)",                                   App.WEBVIEW),
    (r"(?:iPhone|iPad|iPod)(?!.*Safari)",         App.WEBVIEW),
)
DEVICES: tuple[tuple[str, Device], ...] = (
    # A robot says so, whatever else it pretends to be. Cubot makes phones.
    (r"(?<!cu)bot\b|crawler|spider|facebookexternalhit|externalfetcher|^WhatsApp/|preview|iframely|cardyb"
     r"|Google-(?:PageRenderer|Read-Aloud|Site-Verification)|ImageProxy", Device.BOT),
    (r"iPad|Tablet|PlayBook|Silk(?!.*Mobile)",    Device.TABLET),
    # Apps put “Android” behind “Mobile” too: the whole text decides.
    (r"^(?!.*Mobile).*Android",                      Device.TABLET),
    (r"iPhone|iPod|Android|Mobile|Opera Mini|IEMobile|Windows Phone", Device.MOBILE),
    (r"Windows NT|Macintosh|X11|CrOS|Linux|curl/|Lynx/|w3m/|Links \(", Device.DESKTOP),
)
# Pairs that no browser says in earnest: a spoofed agent, a desktop view, a wallet in another wallet's clothes.
CONTRADICTIONS: tuple[tuple[str, str], ...] = (
    (r"AlipayClientHK",   r"AliApp\(AP/"),
    (r"Windows NT",       r"Android|iPhone|iPad"),
    (r"iPhone|iPad|iPod", r"Android"),
    (r"Macintosh",        r"Android|iPhone|\bMobile/"),
)
WAYS_OUT: dict[App | None, WayOut] = {
    App.WECHAT:    WayOut("WeChat", "menu"),
    App.WECOM:     WayOut("WeCom", "menu"),
    App.QQ:        WayOut("QQ", "menu"),
    App.WEIBO:     WayOut("Weibo", "menu"),
    App.RED:       WayOut("Xiaohongshu", "menu"),
    App.DOUYIN:    WayOut("Douyin", "menu"),
    App.TIKTOK:    WayOut("TikTok", "intent"),
    App.LINE:      WayOut("LINE", "line"),
    App.MESSENGER: WayOut("Messenger", "intent", ios_corner="bottom"),
    App.FACEBOOK:  WayOut("Facebook", "intent", ios_corner="bottom"),
    App.INSTAGRAM: WayOut("Instagram", "intent"),
    App.WHATSAPP:  WayOut("WhatsApp", "intent", ios_corner="bottom"),
}
# fmt: on


def _compiled(
    rows: tuple[tuple[str, App], ...] | tuple[tuple[str, Device], ...],
) -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(pattern, re.IGNORECASE), meant) for pattern, meant in rows)


_APPS, _DEVICES = _compiled(APPS), _compiled(DEVICES)
_PAIRS = tuple((re.compile(one), re.compile(other)) for one, other in CONTRADICTIONS)


def read_agent(user_agent: str) -> Agent:
    """Never a reason to take a way to pay from the shopper: only which one comes first."""
    text = user_agent[:LONGEST]
    device = Device(next((meant for pattern, meant in _DEVICES if pattern.search(text)), Device.UNKNOWN))
    if device is Device.BOT:
        return Agent(device)
    app = next((App(meant) for pattern, meant in _APPS if pattern.search(text)), None)
    if any(one.search(text) and other.search(text) for one, other in _PAIRS):
        device = Device.UNKNOWN
    elif app is App.ALIPAY:
        device = Device.IN_WALLET
    return Agent(device, app, "Android" in text)


def device_of(user_agent: str) -> Device:
    return read_agent(user_agent).device
