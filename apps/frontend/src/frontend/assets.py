"""Where the static files are: content-hashed names below the edge's /static/frontend/."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources

BASE = "/static/frontend/"
PICTURES = frozenset(
    {"cup", "teapot", "pan", "blanket", "lamp", "pen", "bag", "bicycle", "game", "record", "box"}
)
FALLBACK = "box"


@dataclass(frozen=True)
class Assets:
    """The files of this release."""

    names: Mapping[str, str] = field(default_factory=dict)
    """Logical name to hashed name. Without a manifest, as in unit tests, a name stands for itself."""

    @classmethod
    def load(cls) -> "Assets":
        """From the manifest that the wheel was built with, if there is one."""
        manifest = resources.files("frontend") / "manifest.json"
        if not manifest.is_file():
            return cls()
        return cls(json.loads(manifest.read_text(encoding="utf-8")))

    def url(self, name: str) -> str:
        """URL of the file with this logical name; KeyError if the build made no such file."""
        return BASE + (self.names[name] if self.names else name)

    def picture(self, name: str) -> str:
        """URL of a product's picture; a neutral one for a name that this release does not know."""
        return self.url(f"picture-{known(name)}.svg")


def known(name: str) -> str:
    """The name of a picture, or that of the neutral one."""
    return name if name in PICTURES else FALLBACK
