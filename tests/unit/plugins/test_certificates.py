"""When a certificate has to be issued, what a host gets, and what is told of wrong files."""

import datetime
import ipaddress

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.tandem.platform.plugins.plugin_utils.certificates import (
    CertificateError,
    Pair,
    check_provided,
    host_entries,
    units_to_reload,
    why_authority_due,
    why_due,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
ITEM = {
    "name": "door",
    "common_name": "msk-app1",
    "subject_alt_names": ["DNS:msk-app1.example.org", "IP:10.61.0.21", "IP:fd61:0::21"],
    "usages": ["server", "client"],
    "group": "haproxy",
}


def new_key():
    return ec.generate_private_key(ec.SECP256R1())


def pem_of(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def certificate(key, signer, issuer, common_name="msk-app1", days=825, usages=2):
    """A certificate as the role issues it for ITEM; `usages` 1 leaves out the client."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    alternatives = [
        x509.DNSName("msk-app1.example.org"),
        *(x509.IPAddress(ipaddress.ip_address(address)) for address in ("10.61.0.21", "fd61::21")),
    ]
    oids = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH][:usages]
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - datetime.timedelta(days=1))
        .not_valid_after(NOW + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.ExtendedKeyUsage(oids), critical=False)
        .sign(signer, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )


@pytest.fixture(scope="module")
def authority_key():
    return new_key()


@pytest.fixture(scope="module")
def authority(authority_key):
    return certificate(authority_key, authority_key, "authority", common_name="authority", days=3650)


@pytest.fixture(scope="module")
def key():
    return new_key()


@pytest.fixture
def reason(authority_key, authority, key):
    """Why a certificate of these properties is due."""

    def ask(item=None, now=NOW, other_key=None, other_authority=None, **properties):
        pair = Pair(certificate(key, authority_key, "authority", **properties), pem_of(other_key or key))
        return why_due(pair, other_authority or authority, ITEM | (item or {}), now, renew_days=30)

    return ask


def test_a_good_certificate_is_not_due(reason):
    assert reason() == ""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"item": {"subject_alt_names": ["DNS:msk-app1.example.org"]}}, "names changed"),
        ({"item": {"common_name": "msk-app2"}}, "common name changed"),
        ({"usages": 1}, "usages changed"),
        ({"other_key": new_key()}, "key changed"),
        ({"days": 29}, "valid until 2026-01-30 only"),
        ({"now": NOW + datetime.timedelta(days=900)}, "valid until 2028-04-05 only"),
    ],
)
def test_a_certificate_is_due_when_something_changed(reason, arguments, expected):
    assert reason(**arguments) == expected


def test_a_certificate_of_another_authority_is_due(reason):
    other = new_key()
    assert reason(other_authority=certificate(other, other, "authority", "authority")) == "authority changed"


def test_an_authority_made_anew_with_its_key_still_vouches(reason, authority_key):
    renewed = certificate(authority_key, authority_key, "authority", "authority", days=5000)
    assert reason(other_authority=renewed) == ""


def test_missing_and_broken_files_are_due(authority, key):
    assert why_due(Pair(None, pem_of(key)), authority, ITEM, NOW, 30) == "missing"
    assert why_due(Pair(b"x", pem_of(key)), None, ITEM, NOW, 30) == "missing"
    assert why_due(Pair(b"x", pem_of(key)), authority, ITEM, NOW, 30) == "unreadable"


def test_the_authority_outlives_what_it_signs(authority, authority_key):
    pair = Pair(authority, pem_of(authority_key))
    assert why_authority_due(pair, NOW, valid_days=825) == ""
    assert why_authority_due(pair, NOW, valid_days=3651) == "valid until 2035-12-30 only"
    assert why_authority_due(Pair(None, pem_of(authority_key)), NOW, valid_days=825) == "missing"


def test_an_authority_without_its_key_is_not_replaced_silently(authority, key):
    with pytest.raises(CertificateError, match="restore the key"):
        why_authority_due(Pair(authority, None), NOW, 825)
    with pytest.raises(CertificateError, match=r"not the key of ca/ca\.pem"):
        why_authority_due(Pair(authority, pem_of(key)), NOW, 825)


def test_a_provided_certificate_is_checked(authority_key, key):
    given = certificate(key, authority_key, "someone else")
    check_provided("edge", Pair(given, pem_of(key)), NOW)
    for pair, said in (
        (Pair(None, pem_of(key)), "certificate provided for 'edge' does not exist"),
        (Pair(given, None), "key provided for 'edge' does not exist"),
        (Pair(given, pem_of(new_key())), "is not that of its certificate"),
        (Pair(b"x", pem_of(key)), "can't be read"),
    ):
        with pytest.raises(CertificateError, match=said):
            check_provided("edge", pair, NOW)
    with pytest.raises(CertificateError, match="ended on 2028-04-05"):
        check_provided("edge", Pair(given, pem_of(key)), NOW + datetime.timedelta(days=1000))


def test_a_host_gets_three_files_per_item_and_the_authority():
    entries = host_entries([ITEM], "/secrets", "msk-app1", due=[], authority_due=False)
    files = {entry["path"]: entry for entry in entries["files"]}
    assert list(files) == [
        "/etc/tandem/tls/ca.pem",
        "/etc/tandem/tls/door/certificate.pem",
        "/etc/tandem/tls/door/key.pem",
        "/etc/tandem/tls/door/bundle.pem",
    ]
    key = files["/etc/tandem/tls/door/key.pem"]
    assert key["source"] == "/secrets/certificates/msk-app1/door.key"
    assert (key["secret"], key["mode"], key["group"]) == (True, "0640", "haproxy")


def test_what_check_mode_does_not_issue_is_predicted():
    entries = host_entries([ITEM], "/secrets", "msk-app1", due=["door"], authority_due=True)
    assert [entry.get("content") for entry in entries["files"]] == ["to be issued\n"] * 4


def test_a_provided_pair_comes_from_its_own_paths():
    item = ITEM | {"provided": {"certificate": "/own/c.pem", "key": "/own/k.pem"}}
    _, certificate_entry, key_entry, _ = host_entries([item], "/secrets", "h", [], False)["files"]
    assert (certificate_entry["source"], key_entry["source"]) == ("/own/c.pem", "/own/k.pem")


def test_only_units_that_use_a_changed_certificate_are_reloaded():
    units = {"door": ["haproxy.service"], "edge": ["nginx.service", "haproxy.service"]}

    def names(*paths):
        return [unit["name"] for unit in units_to_reload(units, list(paths))]

    assert names("/etc/tandem/tls/door", "/etc/tandem/tls/door/bundle.pem") == ["haproxy.service"]
    assert names("/etc/tandem/tls/ca.pem") == ["haproxy.service", "nginx.service"]
    assert names() == []


def test_encrypted_keys_are_read_and_nothing_is_due(player, authority, authority_key, key):
    folder = player.directory / ".secrets"
    vault = VaultLib([("default", VaultSecret(b"opens-it"))])
    files = {
        "ca/ca.pem": authority,
        "ca/ca.key": vault.encrypt(pem_of(authority_key)),
        "certificates/here/door.pem": certificate(key, authority_key, "authority"),
        "certificates/here/door.key": vault.encrypt(pem_of(key)),
    }
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    (player.directory / "vault-password").write_text("opens-it")
    player.environment["ANSIBLE_VAULT_PASSWORD_FILE"] = str(player.directory / "vault-password")
    # The certificates of this file have fixed dates; whatever today is, they are not too old.
    options = "directory=folder, host=inventory_hostname, renew_days=-9999, valid_days=-9999"
    tasks = [
        {"name": name, "ansible.builtin.debug": {"msg": f"{{{{ query({words}, {options}) }}}}"}}
        for name, words in (
            ("Items", "'tandem.platform.certificates_due', item"),
            ("Authority", "'tandem.platform.certificates_due'"),
        )
    ]
    done = player.play(tasks, vars={"folder": str(folder), "item": ITEM})
    assert done.rc == 0, done.output
    assert (done["Items"]["msg"], done["Authority"]["msg"]) == ([], [])
