"""The review queue: what each decision will do stands beside its button, and is what it does."""

from typing import Any

import pytest

from sandbox import Scenario
from tests.hostile.tricks import gateway_answers
from tests.office.cast import Clerk
from tests.stories.cast import Merchant, World
from tests.stories.test_reviews import comes_late, comes_wrong, written


def decides(clerk: Clerk, session: dict[str, Any], decision: str, reason: str = "spoke with Ada") -> int:
    clerk.opens(clerk.at(f"/reviews/{session['id']}"))
    return clerk.sends(clerk.at(f"/reviews/{session['id']}/{decision}"), reason=reason).status_code


@pytest.fixture
def late(world: World, bo: Merchant) -> dict[str, Any]:
    session = bo.opens()
    comes_late(world, session)
    return session


@pytest.fixture
def operator(late: dict[str, Any], operator: Clerk) -> Clerk:
    """Signs in after the long wait."""
    operator.signs_in()
    return operator


def test_late_money_is_accepted_by_a_clerk(world: World, bo: Merchant, operator: Clerk, late: dict[str, Any]) -> None:
    operator.opens(operator.at("/reviews"))
    assert "Paid after the order had ended" in operator.sees()
    assert "Reviews 1 waiting" in operator.sees()
    operator.opens(operator.at(f"/reviews/{late['id']}"))
    assert "your shop is told to deliver" in operator.sees()
    assert decides(operator, late, "accept") == 303
    told = bo.reads(late)
    assert (told["status"], told["review"]) == ("paid", False)
    assert written(world, late["id"])[-1] == (f"person/{operator.row().id}", "review_decided")
    assert decides(operator, late, "refund") == 409, "it is the shop's now"
    operator.opens(operator.at("/reviews"))
    assert "Nothing to look at" in operator.sees()


def test_late_money_is_sent_back_by_a_clerk(world: World, bo: Merchant, operator: Clerk, late: dict[str, Any]) -> None:
    assert decides(operator, late, "refund") == 303
    world.passes(10)
    told = bo.reads(late)
    assert (told["status"], told["review"]) == ("expired", False)
    assert [(refund["amount"], refund["status"]) for refund in told["refunds"]] == [(8800, "succeeded")]
    assert [actor for actor, action in written(world, told["refunds"][0]["id"])] == [f"person/{operator.row().id}"]


def test_a_decision_needs_a_reason_and_money_stays_until_there_is_one(
    bo: Merchant, operator: Clerk, late: dict[str, Any]
) -> None:
    assert decides(operator, late, "accept", reason="  ") == 422
    assert decides(operator, late, "accept", reason="two\x07lines") == 422
    assert bo.reads(late)["review"] is True


def test_money_that_does_not_fit_may_stay_or_go_and_is_never_accepted(
    world: World, bo: Merchant, operator: Clerk
) -> None:
    wrong = bo.opens(reference="A-1002")
    comes_wrong(world, wrong)
    operator.signs_in()
    operator.opens(operator.at(f"/reviews/{wrong['id']}"))
    assert "/accept" not in operator.text
    assert decides(operator, wrong, "accept") == 409
    assert decides(operator, wrong, "close") == 303
    assert bo.reads(wrong)["review"] is False


def test_money_that_the_gateway_says_has_gone_back_is_told_so_before_it_is_sent_once_more(
    world: World, bo: Merchant, operator: Clerk
) -> None:
    session = bo.opens(reference="gone-back")
    world.next(Scenario.RETURNED)
    world.shopper(session).picks("alipay_hk")
    world.pays(session)
    world.passes(5)
    operator.opens(operator.at("/reviews"))
    assert "gone-back The gateway says that it was paid, and that the money has gone back" in operator.sees()
    operator.opens(operator.at(f"/reviews/{session['id']}"))
    assert "Ask QFPay before you send it once more" in operator.sees()
    assert decides(operator, session, "close") == 303
    assert world.violations() == []


@pytest.mark.parametrize("named", ["TWD", "", None, "AED"])
def test_money_of_another_currency_is_shown_as_it_came(
    world: World, bo: Merchant, operator: Clerk, named: str | None
) -> None:
    """A mismatch is what nobody has thought of: its page must not fail, and must not call it Hong Kong dollars."""
    session = bo.opens(reference="A-1002")

    def edit(answer: dict[str, Any]) -> dict[str, Any]:
        for record in answer.get("data", []):
            record["txcurrcd"] = named
            if named is None:
                del record["txcurrcd"]
        return answer

    world.shopper(session).picks("alipay_hk")
    world.pays(session)
    gateway_answers(world, "/trade/v1/query", edit)
    world.passes(5)
    operator.signs_in()
    shown = "AED 88.00" if named == "AED" else f"{named or '?'} 8800"
    for where in ("/reviews", f"/reviews/{session['id']}", f"/payments/{session['id']}"):
        operator.opens(operator.at(where))
        assert operator.status == 200, where
        assert shown in operator.sees(), where
    operator.opens(operator.at(f"/reviews/{session['id']}"))
    assert f"{shown} goes back to the shopper's wallet" in operator.sees()
    assert decides(operator, session, "refund") == 303
    operator.opens(operator.at(f"/payments/{session['id']}"))
    assert f"Refund of {shown}" in operator.sees()
