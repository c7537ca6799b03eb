"""E-mail addresses as keys: two spellings of one address are one account."""

import re
import unicodedata

import idna

MAX_LENGTH = 254  # RFC 5321, 4.5.3.1.3, less the angle brackets
MAX_LOCAL_LENGTH = 64  # RFC 5321, 4.5.3.1.1
_DOTS = re.compile(r"[\u3002\uff0e\uff61]")  # what IDNA counts as dots too
_SHAPE = re.compile(r"[^\s@\"(),:;<>\[\\\]]+@[^\s@]+\.[^\s@]+")


def normalise(address: str) -> str:
    """The one spelling of an address: compatibility forms and case folded, the domain in its ASCII form.

    Case of the local part is folded too: mail systems that distinguish it are a curiosity, users who type it
    differently are not. Raises ValueError, with a reason for the user.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", address.strip()).casefold())
    folded = _DOTS.sub(".", folded)
    if any(unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zs"} for character in folded):
        raise ValueError("must not contain spaces or invisible characters")
    if not _SHAPE.fullmatch(folded):
        raise ValueError("must be an e-mail address like name@example.org")
    local, _, domain = folded.rpartition("@")
    if len(local) > MAX_LOCAL_LENGTH or local.startswith(".") or local.endswith(".") or ".." in local:
        raise ValueError("has a wrong part before the @")
    try:
        ascii_domain = idna.encode(domain, uts46=True).decode()
    except (idna.IDNAError, UnicodeError) as error:
        raise ValueError("has a wrong domain") from error
    result = f"{local}@{ascii_domain}"
    if len(result) > MAX_LENGTH:
        raise ValueError(f"must not be longer than {MAX_LENGTH} characters")
    return result
