# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Decide which certificates have to be issued, and what a host gets of them.

Pure functions over PEM texts, so that a run in which nothing is due costs milliseconds and no module call.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

TLS_DIRECTORY = "/etc/tandem/tls"
RELOAD_HANDLER = "Reload what uses the certificates"
# What stands in for a certificate that check mode does not issue.
TO_BE_ISSUED = "to be issued\n"
USAGES = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}


class CertificateError(Exception):
    """A certificate or key that a person has to look after is wrong; the message says what to do."""


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key as PEM texts; None where there is no file."""

    certificate: bytes | None
    key: bytes | None


def why_due(
    pair: Pair, authority: bytes | None, item: Mapping[str, Any], now: datetime, renew_days: int
) -> str:
    """Return why the certificate of an item has to be issued, or an empty string.

    `item` has `common_name`, `subject_alt_names` ("DNS:name" or "IP:address") and `usages` ("server", "client").
    """
    if pair.certificate is None or pair.key is None or authority is None:
        return "missing"
    try:
        certificate = x509.load_pem_x509_certificate(pair.certificate)
        issuer = x509.load_pem_x509_certificate(authority)
    except ValueError:
        return "unreadable"
    if certificate.not_valid_after_utc - now < timedelta(days=renew_days):
        return f"valid until {certificate.not_valid_after_utc:%Y-%m-%d} only"
    if _common_name(certificate) != item["common_name"]:
        return "common name changed"
    if _names(certificate) != {_normal(name) for name in item["subject_alt_names"]}:
        return "names changed"
    if _usages(certificate) != set(item["usages"]):
        return "usages changed"
    if not _matches(certificate, pair.key):
        return "key changed"
    return "" if _issued_by(certificate, issuer) else "authority changed"


def why_authority_due(pair: Pair, now: datetime, valid_days: int) -> str:
    """Return why the authority's own certificate has to be made, or an empty string.

    It must outlive every certificate that it signs, which are valid for `valid_days`. Made anew with the same
    key and name it still vouches for all of them. Raises `CertificateError` when the key is gone.
    """
    if pair.certificate is None:
        return "missing"
    if pair.key is None:
        raise CertificateError(
            "the authority's certificate is there and its key is not. Next: restore the key ca/ca.key beside it; "
            "or remove ca/ca.pem to get a new authority, which replaces every certificate of the platform."
        )
    certificate = x509.load_pem_x509_certificate(pair.certificate)
    if not _matches(certificate, pair.key):
        raise CertificateError(
            "ca/ca.key is not the key of ca/ca.pem. Next: restore the pair from a backup; or remove both to get a "
            "new authority, which replaces every certificate of the platform."
        )
    if certificate.not_valid_after_utc - now < timedelta(days=valid_days):
        return f"valid until {certificate.not_valid_after_utc:%Y-%m-%d} only"
    return ""


def check_provided(name: str, pair: Pair, now: datetime) -> None:
    """Check a certificate of the owner's own. Raises `CertificateError`."""
    if pair.certificate is None or pair.key is None:
        missing = "certificate" if pair.certificate is None else "key"
        raise CertificateError(f"the {missing} provided for '{name}' does not exist. Next: correct its path.")
    try:
        certificate = x509.load_pem_x509_certificates(pair.certificate)[0]
        matches = _matches(certificate, pair.key)
    except ValueError as error:
        raise CertificateError(f"the certificate provided for '{name}' can't be read: {error}.") from None
    if not matches:
        raise CertificateError(
            f"the key provided for '{name}' is not that of its certificate. Next: give the pair; the certificate "
            "file starts with the certificate itself, intermediates follow."
        )
    if certificate.not_valid_after_utc < now:
        raise CertificateError(
            f"the certificate provided for '{name}' ended on {certificate.not_valid_after_utc:%Y-%m-%d}. "
            "Next: have it renewed."
        )


def paths_of(item: Mapping[str, Any], directory: str, host: str) -> tuple[str, str]:
    """Return the controller's paths of an item's certificate and key."""
    provided = item.get("provided")
    if provided:
        return str(provided["certificate"]), str(provided["key"])
    base = f"{directory}/certificates/{host}/{item['name']}"
    return f"{base}.pem", f"{base}.key"


def host_entries(
    items: Sequence[Mapping[str, Any]], directory: str, host: str, due: Sequence[str], authority_due: bool
) -> dict[str, list[dict[str, Any]]]:
    """Return `directories` and `files` of the task that places certificates on a host.

    `due` names items whose certificates are not issued yet: predicted in check mode, never placed.
    """
    entries: dict[str, list[dict[str, Any]]] = {
        "directories": [{"path": TLS_DIRECTORY}],
        "files": [
            _entry(f"{TLS_DIRECTORY}/ca.pem", {"source": f"{directory}/ca/ca.pem"}, authority_due),
        ],
    }
    for item in items:
        certificate, key = paths_of(item, directory, host)
        target, missing = f"{TLS_DIRECTORY}/{item['name']}", item["name"] in due
        private = {"mode": "0640", "group": item["group"], "secret": True}
        bundle = {"template": "bundle.pem.j2", "vars": {"certificate_path": certificate, "key_path": key}}
        entries["directories"].append({"path": target})
        entries["files"] += [
            _entry(f"{target}/certificate.pem", {"source": certificate}, missing),
            _entry(f"{target}/key.pem", {"source": key}, missing) | private,
            _entry(f"{target}/bundle.pem", bundle, missing) | private,
        ]
    return entries


def _entry(path: str, content: dict[str, Any], missing: bool) -> dict[str, Any]:
    return {"path": path, "notify": [RELOAD_HANDLER], **({"content": TO_BE_ISSUED} if missing else content)}


def units_to_reload(
    reload_units: Mapping[str, Sequence[str]], changed_paths: Sequence[str]
) -> list[dict[str, str]]:
    """Return the units that use changed certificates, for tandem.platform.units.

    `reload_units` lists units by item. A changed authority concerns all of them.
    """
    changed = {PurePosixPath(path).parent.name for path in changed_paths}
    everything = f"{TLS_DIRECTORY}/ca.pem" in changed_paths
    units = [
        unit for name, listed in reload_units.items() if everything or name in changed for unit in listed
    ]
    return [{"name": unit, "state": "reloaded_if_running"} for unit in dict.fromkeys(units)]


def now_utc() -> datetime:
    """Return the present."""
    return datetime.now(UTC)


def _common_name(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def _names(certificate: x509.Certificate) -> set[str]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    dns = {f"DNS:{name}" for name in extension.get_values_for_type(x509.DNSName)}
    return dns | {f"IP:{address}" for address in extension.get_values_for_type(x509.IPAddress)}


def _normal(name: str) -> str:
    """Return a wanted name as a certificate shows it; IPv6 addresses have many spellings."""
    kind, _, value = name.partition(":")
    return f"IP:{ipaddress.ip_address(value)}" if kind == "IP" else f"{kind}:{value}"


def _usages(certificate: x509.Certificate) -> set[str]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return set()
    return {name for name, oid in USAGES.items() if oid in extension}


def _matches(certificate: x509.Certificate, key: bytes) -> bool:
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    try:
        private = serialization.load_pem_private_key(key, password=None)
    except (ValueError, TypeError):
        return False
    return private.public_key().public_bytes(*form) == certificate.public_key().public_bytes(*form)


def _issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
