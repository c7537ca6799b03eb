"""Ids of the keys that sign tokens."""

import base64
import hashlib

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.tandem.platform.plugins.filter.key_id import FilterModule
from ansible_collections.tandem.platform.plugins.plugin_utils.secrets import generate, public_key
from ansible_collections.tandem.platform.plugins.plugin_utils.token_keys import key_id
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

# The key of RFC 7515, appendix A.3, whose thumbprint (RFC 7638) PyJWT and the shop's users service compute too.
PUBLIC = {
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
THUMBPRINT = "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"


def pem(key):
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


def b64(text):
    return base64.urlsafe_b64encode(bytes.fromhex(text)).decode().rstrip("=")


def coordinate(text):
    return int.from_bytes(base64.urlsafe_b64decode(text + "="), "big")


def test_the_id_is_the_thumbprint():
    numbers = ec.EllipticCurvePublicNumbers(coordinate(PUBLIC["x"]), coordinate(PUBLIC["y"]), ec.SECP256R1())
    assert key_id(pem(numbers.public_key())) == THUMBPRINT


def test_a_secret_of_the_store_has_an_id_that_is_its_own():
    first, second = generate("ec-p256"), generate("ec-p256")
    ids = [key_id(public_key("x", private)) for private in (first, first, second)]
    assert ids[0] == ids[1] != ids[2]
    assert len(ids[0]) == 43


def test_coordinates_keep_their_leading_zeros():
    key = next(
        key
        for key in (ec.generate_private_key(ec.SECP256R1()).public_key() for _ in range(20000))
        if key.public_numbers().x < 2**248
    )
    x, y = (b64(f"{number:064x}") for number in (key.public_numbers().x, key.public_numbers().y))
    document = f'{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}'
    assert key_id(pem(key)) == b64(hashlib.sha256(document.encode()).hexdigest())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("word", "not a public key"),
        (generate("ec-p256"), "not a public key"),
        (pem(ec.generate_private_key(ec.SECP384R1()).public_key()), "P-256"),
        (pem(rsa.generate_private_key(65537, 2048).public_key()), "P-256"),
    ],
    ids=["word", "private key", "another curve", "another kind"],
)
def test_other_keys_are_refused(text, why):
    with pytest.raises(ValueError, match=why):
        key_id(text)


def test_the_filter_says_what_is_wrong():
    with pytest.raises(AnsibleFilterError, match="key_id: not a public key"):
        FilterModule().filters()["key_id"]("word")
