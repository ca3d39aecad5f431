"""Where the shopper is, read from the browser's user agent: a table, first match wins."""

import re
from enum import StrEnum


class Device(StrEnum):
    DESKTOP = "desktop"
    MOBILE = "mobile"
    TABLET = "tablet"  # the wallet is usually on the phone beside it: treated as a desktop that may jump too
    IN_WALLET = "in_wallet"  # inside Alipay itself
    BOT = "bot"  # link previews and crawlers: they read, and never pay


# fmt: off
AGENTS: tuple[tuple[str, Device], ...] = (
    # AlipayHK also says AlipayClient, so it stands first (features.md section 5).
    (r"AliApp\(APHK|AlipayClientHK",                    Device.MOBILE),
    (r"AlipayClient|AliApp\(AP/",                       Device.IN_WALLET),
    (r"bot\b|crawler|spider|facebookexternalhit|WhatsApp/\S+ [AN]$|Slackbot|TelegramBot|preview", Device.BOT),
    (r"iPad|Tablet|PlayBook|Silk(?!.*Mobile)",          Device.TABLET),
    (r"Android(?!.*Mobile)",                            Device.TABLET),
    (r"iPhone|iPod|Android|Mobile|Opera Mini|IEMobile", Device.MOBILE),
)
# fmt: on
_COMPILED = tuple((re.compile(pattern, re.IGNORECASE), device) for pattern, device in AGENTS)


def device_of(user_agent: str) -> Device:
    """Never a reason to take a way to pay from the shopper: only which one comes first."""
    agent = user_agent[:512]
    return next((device for pattern, device in _COMPILED if pattern.search(agent)), Device.DESKTOP)
