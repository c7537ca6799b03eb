"""SCRAM verifiers are PostgreSQL's, and tell whether a password has to be set."""

import base64

import pytest
from ansible_collections.tandem.platform.plugins.module_utils import postgres_scram as scram

# Made by PostgreSQL 17: create role x password 'foo'.
SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")


def test_the_verifier_of_rfc_7677() -> None:
    # RFC 7677 section 3: user "user", password "pencil", salt W22ZaJ0SNY7soEsUEjb6gQ==, 4096 iterations.
    verifier = scram.make_verifier("pencil", SALT, 4096)
    assert verifier == (
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
        "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )


def test_a_password_matches_its_own_verifier_only() -> None:
    verifier = scram.make_verifier("secret")
    assert scram.matches(verifier, "secret")
    assert not scram.matches(verifier, "Secret")


@pytest.mark.parametrize("stored", [None, "", "md5d41d8cd98f00b204e9800998ecf8427e", "SCRAM-SHA-256$4096:x"])
def test_what_is_no_verifier_matches_nothing(stored: str | None) -> None:
    assert not scram.matches(stored, "secret")


def test_salts_differ() -> None:
    assert scram.make_verifier("secret") != scram.make_verifier("secret")


@pytest.mark.parametrize("password", ["", "пароль"])
def test_passwords_that_saslprep_would_change_are_refused(password: str) -> None:
    with pytest.raises(ValueError, match="ASCII"):
        scram.make_verifier(password)
