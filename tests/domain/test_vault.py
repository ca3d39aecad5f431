"""Secrets at rest: for one owner, under one of the keys, untouched."""

import pytest

from checkout.domain.vault import CannotOpen, Vault

OLD, NEW = "o" * 40, "n" * 40
OWNER = "merchant/m_1/client_key"


def test_what_is_sealed_can_be_opened_by_its_owner_only() -> None:
    vault = Vault([NEW])
    sealed = vault.seal(b"client key", owner=OWNER)
    assert vault.open(sealed, owner=OWNER) == b"client key"
    with pytest.raises(CannotOpen):
        vault.open(sealed, owner="merchant/m_2/client_key")


def test_a_sealed_secret_shows_nothing_and_is_never_the_same_twice() -> None:
    vault = Vault([NEW])
    sealed = [vault.seal(b"client key", owner=OWNER) for _ in range(20)]
    assert len(set(sealed)) == 20
    assert not [one for one in sealed if b"client" in one]


def test_a_new_key_in_front_still_opens_what_the_old_one_sealed() -> None:
    before, during, after = Vault([OLD]), Vault([NEW, OLD]), Vault([NEW])
    sealed = before.seal(b"client key", owner=OWNER)
    assert during.open(sealed, owner=OWNER) == b"client key"
    assert after.open(during.seal(b"client key", owner=OWNER), owner=OWNER) == b"client key"
    with pytest.raises(CannotOpen):
        after.open(sealed, owner=OWNER)


@pytest.mark.parametrize("position", [0, 11, 12, 20, -1])
def test_one_changed_bit_is_noticed(position: int) -> None:
    vault = Vault([NEW])
    sealed = bytearray(vault.seal(b"client key", owner=OWNER))
    sealed[position] ^= 1
    with pytest.raises(CannotOpen):
        vault.open(bytes(sealed), owner=OWNER)


@pytest.mark.parametrize("rubbish", [b"x" * 12, b"x" * 27, b"x" * 200])
def test_rubbish_is_refused(rubbish: bytes) -> None:
    with pytest.raises(CannotOpen):
        Vault([NEW]).open(rubbish, owner=OWNER)


def test_the_error_names_the_owner_and_no_secret() -> None:
    with pytest.raises(CannotOpen) as refused:
        Vault([NEW]).open(b"x" * 40, owner=OWNER)
    assert str(refused.value) == OWNER


def test_a_vault_needs_a_key() -> None:
    with pytest.raises(ValueError, match="at least one key"):
        Vault([])
