"""Statuses change in moves.py only, and rows begin where their machine begins: read from the code itself."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.states import MACHINES

CHECKOUT = Path(__file__).parents[2] / "checkout"
MODELS = {"Attempt", "CheckoutSession", "Delivery", "Refund"}
STARTS = {f"{machine.words.__name__}.{machine.start.name}" for machine in MACHINES}
EXCUSED = {
    "store/moves.py": "the one way",
    "services/portal_refunds.py: Refund RefundStatus.SUCCEEDED": "it is over when we first hear of it",
    "services/events.py: values": "enabled by a person: queued again, from where the table says, at a new address",
}


def changes(tree: ast.AST) -> Iterator[str]:
    """Every place that gives a row a status: a new row elsewhere than at its start, `.values(...)`, an assignment."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2]
            given = [ast.unparse(word.value) for word in node.keywords if word.arg == "status"]
            if name in MODELS:
                yield from (f"{name} {value}" for value in given if value not in STARTS)
            elif name == "values" and (given or any(says_status(argument) for argument in node.args)):
                yield "values"
            elif name == "setattr" and says_status(node):
                yield "setattr"
        elif isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Attribute) and target.attr == "status" for target in targets):
                yield "assignment"


def says_status(node: ast.AST) -> bool:
    return any(isinstance(part, ast.Constant) and part.value == "status" for part in ast.walk(node))


@pytest.mark.parametrize("path", sorted(CHECKOUT.rglob("*.py")), ids=lambda path: path.relative_to(CHECKOUT).as_posix())
def test_only_moves_change_a_status(path: Path) -> None:
    name = path.relative_to(CHECKOUT).as_posix()
    found = {f"{name}: {change}" for change in changes(ast.parse(path.read_text()))}
    assert name in EXCUSED or found <= set(EXCUSED)


@pytest.mark.parametrize(
    "code",
    [
        "attempt.status = AttemptStatus.FAILED",
        "update(Attempt).values(status=AttemptStatus.FAILED)",
        "update(Attempt).values({'status': 'failed'})",
        "update(models.Refund).where(x).values({Refund.id: 1, 'status': done})",
        "Attempt(id=1, status=AttemptStatus.SUCCEEDED)",
        "setattr(session, 'status', 'paid')",
    ],
)
def test_a_change_is_recognized(code: str) -> None:
    assert list(changes(ast.parse(code)))


def test_every_excuse_is_needed() -> None:
    found = set()
    for path in CHECKOUT.rglob("*.py"):
        name = path.relative_to(CHECKOUT).as_posix()
        found |= {f"{name}: {change}" for change in changes(ast.parse(path.read_text()))}
    assert set(EXCUSED) - {"store/moves.py"} <= found
