"""The three languages, and how a browser's or a merchant's wish is matched to them."""

from collections.abc import Iterable
from enum import StrEnum


class Lang(StrEnum):
    """The value of `<html lang>`."""

    EN = "en"
    ZH_HK = "zh-HK"
    ZH_CN = "zh-CN"


LABELS = {Lang.EN: "English", Lang.ZH_HK: "繁體中文", Lang.ZH_CN: "简体中文"}
BABEL = {Lang.EN: "en_HK", Lang.ZH_HK: "zh_Hant_HK", Lang.ZH_CN: "zh_Hans_CN"}
CATALOGUE = {Lang.EN: "en", Lang.ZH_HK: "zh_Hant", Lang.ZH_CN: "zh_Hans"}

_TRADITIONAL = {"hant", "hk", "tw", "mo"}
_SIMPLIFIED = {"hans", "cn", "sg", "my"}


def lang_of(tag: str) -> Lang | None:
    """Match one language tag: zh-TW and yue read zh-HK, zh-SG and bare zh read zh-CN. None: not ours."""
    parts = tag.strip().replace("_", "-").lower().split("-")
    if parts[0] == "en":
        return Lang.EN
    if parts[0] not in ("zh", "yue", "cmn"):
        return None
    # The script says more than the region: zh-Hans-HK is read in simplified characters.
    for part in parts[1:]:
        if part in _TRADITIONAL:
            return Lang.ZH_HK
        if part in _SIMPLIFIED:
            return Lang.ZH_CN
    return Lang.ZH_HK if parts[0] == "yue" else Lang.ZH_CN


def best_lang(accepted: Iterable[tuple[str, float]]) -> Lang:
    """The first of a browser's wishes, heaviest first, that is one of ours; else English."""
    wishes = sorted((wish for wish in accepted if wish[1] > 0), key=lambda wish: -wish[1])
    return next((lang for tag, _ in wishes if (lang := lang_of(tag))), Lang.EN)
