"""Tokens: what counts and what does not."""

import base64
import json
import time
import uuid

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from tandem_common.tokens import (
    InvalidToken,
    Issuer,
    Verifier,
    public_jwk,
    read_private_key,
    read_public_keys,
)

NAMES = {"issuer": "tandem-users", "audience": "tandem-shop"}
USER = uuid.UUID("8f7f0f6e-5f3e-4f3b-9f7e-0123456789ab")


@pytest.fixture
def issuer(private_key):
    return Issuer(private_key, lifetime_seconds=300, **NAMES)


@pytest.fixture
def verifier(private_key):
    return Verifier([private_key.public_key()], **NAMES)


def claims(**changed):
    now = int(time.time())
    usual = {"iss": "tandem-users", "aud": "tandem-shop", "sub": str(USER), "iat": now, "exp": now + 60}
    return {name: value for name, value in {**usual, **changed}.items() if value is not None}


def sign(key, payload, **headers):
    return jwt.encode(
        payload, key, algorithm="ES256", headers={"kid": public_jwk(key.public_key())["kid"], **headers}
    )


def test_a_token_says_who(issuer, verifier):
    token = issuer.issue(USER)
    assert verifier.verify(token).user_id == USER
    assert jwt.decode(token, options={"verify_signature": False})["exp"] - time.time() > 290


def test_a_token_has_its_roles(private_key, issuer, verifier):
    assert verifier.verify(issuer.issue(USER)).roles == frozenset()
    assert "roles" not in jwt.decode(issuer.issue(USER), options={"verify_signature": False})
    assert verifier.verify(issuer.issue(USER, {"admin", "b"})).roles == {"admin", "b"}
    for roles in ("admin", {"admin": True}, [1], [["admin"]], None, 1):
        token = sign(private_key, {**claims(), "roles": roles})
        with pytest.raises(InvalidToken):
            verifier.verify(token)


def test_key_id_is_the_thumbprint():
    """RFC 7638 over a key whose thumbprint was computed with another program (jose-jwk)."""
    numbers = ec.EllipticCurvePublicNumbers(
        x=int.from_bytes(base64.urlsafe_b64decode("MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4="), "big"),
        y=int.from_bytes(base64.urlsafe_b64decode("4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM="), "big"),
        curve=ec.SECP256R1(),
    )
    key = public_jwk(numbers.public_key())
    assert key["x"] == "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"
    assert key["kid"] == "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s"


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": int(time.time()) - 60},
        {"iat": int(time.time()) + 3600},
        {"iss": "somebody"},
        {"aud": "elsewhere"},
        {"aud": None},
        {"sub": None},
        {"sub": "not-a-uuid"},
        {"sub": 7},
        {"exp": None},
        {"exp": "soon"},
    ],
)
def test_wrong_claims(private_key, verifier, changed):
    with pytest.raises(InvalidToken):
        verifier.verify(sign(private_key, claims(**changed)))


def test_wrong_signatures(private_key, verifier):
    other = ec.generate_private_key(ec.SECP256R1())
    mine = public_jwk(private_key.public_key())["kid"]
    good = sign(private_key, claims())
    head, body, _ = good.split(".")
    unsigned = (
        base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": mine}).encode()).rstrip(b"=").decode()
    )
    pem = private_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    confused = (
        base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": mine}).encode()).rstrip(b"=").decode()
    )
    tokens = [
        sign(other, claims()),
        sign(other, claims(), kid=mine),
        f"{unsigned}.{body}.",
        f"{confused}.{body}.{base64.urlsafe_b64encode(pem[:32]).decode()}",
        f"{head}.{body}.",
        f"{head}.{body}.AAAA",
        "x",
        "",
        "..",
        "a.b.c",
        "é.b.c",
        "\ud800",
        "x" * 100_000,
    ]
    for token in tokens:
        with pytest.raises(InvalidToken):
            verifier.verify(token)


def test_keys_can_be_changed(private_key):
    """While keys are changed both count."""
    new = ec.generate_private_key(ec.SECP256R1())
    pems = "".join(
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
        for key in (private_key, new)
    )
    verifier = Verifier(read_public_keys(pems), **NAMES)
    for key in (private_key, new):
        assert verifier.verify(Issuer(key, lifetime_seconds=60, **NAMES).issue(USER)).user_id == USER
    assert len(verifier.key_set()["keys"]) == 2


def test_wrong_keys_are_refused():
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(ValueError, match="EC"):
        read_private_key(pem.decode())
    with pytest.raises(ValueError, match="no PEM"):
        read_public_keys("")
    with pytest.raises(ValueError, match="P-256"):
        public_jwk(ec.generate_private_key(ec.SECP384R1()).public_key())
