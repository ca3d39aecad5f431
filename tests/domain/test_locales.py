"""Three languages, and how wishes are matched to them."""

import pytest
from babel import Locale

from checkout.domain.locales import BABEL, CATALOGUE, LABELS, Lang, best_lang, lang_of

EN, HK, CN = Lang

# fmt: off
TAGS = {
    "en": EN, "en-GB": EN, "EN_us": EN,
    "zh-HK": HK, "zh-TW": HK, "zh-MO": HK, "zh-Hant": HK, "zh-Hant-CN": HK, "zh_Hant_HK": HK, "yue": HK, "yue-HK": HK,
    "zh-CN": CN, "zh-SG": CN, "zh-MY": CN, "zh-Hans": CN, "zh-Hans-HK": CN, "zh": CN, "cmn": CN, "yue-Hans": CN,
    "fr": None, "": None, "*": None, "english": None, "zhx": None,
}
WISHES = [
    ([("zh-HK", 1.0), ("en", 0.8)],               HK),
    ([("en", 0.5), ("zh-CN", 0.9)],               CN),  # the weight decides, not the place
    ([("fr", 1.0), ("zh-TW", 0.7), ("en", 0.3)],  HK),
    ([("fr", 1.0), ("de", 0.9)],                  EN),
    ([("zh-HK", 0.0), ("zh-CN", 0.1)],            CN),  # weight 0 means: not that one
    ([("zh-CN", 1.0), ("zh-HK", 1.0)],            CN),  # equal weights: the first
    ([],                                          EN),
]
# fmt: on


@pytest.mark.parametrize(("tag", "lang"), TAGS.items())
def test_a_tag_is_matched_to_a_language_of_ours(tag: str, lang: Lang | None) -> None:
    assert lang_of(tag) is lang


@pytest.mark.parametrize(("wishes", "lang"), WISHES)
def test_the_heaviest_wish_that_we_speak_wins(wishes: list[tuple[str, float]], lang: Lang) -> None:
    assert best_lang(wishes) is lang


@pytest.mark.parametrize("lang", Lang)
def test_every_language_has_a_label_a_locale_and_a_catalogue(lang: Lang) -> None:
    assert lang_of(lang) is lang
    assert LABELS[lang]
    assert BABEL[lang].startswith(CATALOGUE[lang])
    assert str(Locale.parse(BABEL[lang])) == BABEL[lang]
