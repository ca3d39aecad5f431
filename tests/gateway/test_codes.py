"""The gateway's codes, held against the classes of qfpay.md section 7."""

import pytest

from checkout.gateway.codes import MEANINGS, Class, Says, look_up, plain

# fmt: off
MUST_BE_ASKED_ABOUT = {
    "1101", "1131", "1143", "1145", "1161", "1295", "1298", "2009", "2010", "2999",  # PEND
    "1102", "1125", "1136", "1251", "1260", "1261", "1262", "1266", "1267", "1268", "2011",  # STATE
}
CLOSED = {"1142", "1181", "1263", "1264"}
SOME_CLASSES = {
    "0000": Class.OK, "1100": Class.RETRY, "1103": Class.CONF, "1108": Class.CONF, "1118": Class.FINAL,
    "1123": Class.NEW, "1144": Class.RETRY, "1146": Class.NEW, "1149": Class.CONF, "1154": Class.RETRY,
    "1201": Class.NEW, "1203": Class.CONF, "1243": Class.CONF, "1250": Class.CONF, "1252": Class.RETRY,
    "1265": Class.RETRY, "1269": Class.RETRY, "1270": Class.FINAL, "1272": Class.FINAL, "1294": Class.FINAL,
    "1296": Class.NEW, "1297": Class.NEW, "2004": Class.NEW, "2008": Class.CONF, "2012": Class.CONF,
}
# fmt: on


def test_every_documented_code_has_its_row() -> None:
    ranges = [*range(1100, 1137), *range(1137, 1156), *range(1201, 1206), *range(1260, 1273), *range(1294, 1299)]
    single = [0, 1161, 1170, 1180, 1181, 1212, 1241, 1242, 1243, 1250, 1251, 1252, 1254, *range(2001, 2013), 2999]
    assert set(MEANINGS) == {f"{code:04}" for code in ranges + single}


def test_classes_are_those_of_the_table() -> None:
    assert {code: MEANINGS[code].klass for code in SOME_CLASSES} == SOME_CLASSES


def test_only_one_code_says_that_money_moved() -> None:
    assert [code for code, meaning in MEANINGS.items() if meaning.says is Says.SUCCEEDED] == ["0000"]


def test_what_must_be_asked_about_is_pending() -> None:
    assert {code for code, meaning in MEANINGS.items() if meaning.says is Says.PENDING} == MUST_BE_ASKED_ABOUT


def test_what_is_closed_is_closed() -> None:
    assert {code for code, meaning in MEANINGS.items() if meaning.says is Says.CLOSED} == CLOSED


def test_every_other_documented_code_says_no() -> None:
    others = set(MEANINGS) - MUST_BE_ASKED_ABOUT - CLOSED - {"0000"}
    assert {MEANINGS[code].says for code in others} == {Says.FAILED}


@pytest.mark.parametrize("respcd", ["0000", 0, "0", "000", " 0000 "])
def test_success_comes_in_several_spellings(respcd: object) -> None:
    assert look_up(respcd) is MEANINGS["0000"]


@pytest.mark.parametrize("respcd", [None, "", " ", False, True, 0.0, "0.0", "00000", "٠٠٠٠", "-0", "x", [], {}, "null"])
def test_nothing_never_looks_like_success(respcd: object) -> None:
    assert plain(respcd) == ""
    assert look_up(respcd).says is Says.PENDING
    assert not look_up(respcd).listed


@pytest.mark.parametrize("respcd", ["9999", 7, "429", "1299"])
def test_an_unlisted_code_is_pending(respcd: object) -> None:
    meaning = look_up(respcd)
    assert (meaning.klass, meaning.says, meaning.listed) == (Class.PEND, Says.PENDING, False)
    assert meaning.code == str(respcd).zfill(4)
    assert meaning.text == "not a documented code"
