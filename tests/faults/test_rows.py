"""No fault without its test, no test without its fault, and the list in docs/faults.md says so."""

from tests.faults.__main__ import DOCUMENT, first_columns, named_tests
from tests.faults.rows import ROWS


def test_every_fault_has_its_tests_or_a_reason() -> None:
    missing = [row.name for row in ROWS.values() if not named_tests()[row.number] and not row.why_not]
    assert missing == []


def test_a_reason_stands_only_where_there_is_no_test() -> None:
    assert [row.name for row in ROWS.values() if row.why_not and named_tests()[row.number]] == []


def test_no_test_is_named_after_an_unknown_fault() -> None:
    assert set(named_tests()) <= set(ROWS)


def test_the_rows_are_numbered_without_a_gap() -> None:
    assert list(ROWS) == list(range(1, len(ROWS) + 1))


def test_the_document_lists_the_same_tests() -> None:
    """But for what happened when they ran: `python -m tests.faults --save` writes it anew."""
    lines = [line for line in DOCUMENT.read_text("utf-8").splitlines() if line.startswith("| F")]
    assert [line.split(" | ")[:3] for line in lines] == [list(columns) for columns in first_columns()]
