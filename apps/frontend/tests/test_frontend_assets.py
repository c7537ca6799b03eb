"""Static files: names, pictures, and the folder that is built."""

import json
import re
from pathlib import Path

import frontend
import pytest
from frontend.assets import PICTURES, Assets

FOLDER = Path(frontend.__file__).parents[2] / "assets"
TEMPLATES = Path(frontend.__file__).parent / "templates"


def test_names():
    assert Assets().url("shop.css") == "/static/frontend/shop.css"
    assets = Assets({"shop.css": "shop-ABC.css", "picture-box.svg": "picture-box-DEF.svg"})
    assert assets.url("shop.css") == "/static/frontend/shop-ABC.css"
    assert assets.picture("not known yet") == "/static/frontend/picture-box-DEF.svg"
    with pytest.raises(KeyError):
        assets.url("shop.js")


def test_every_picture_is_there():
    files = {path.stem.removeprefix("picture-") for path in (FOLDER / "pictures").glob("picture-*.svg")}
    assert files == PICTURES
    tiles = set(re.findall(r"\.tile-(\w+) ", (FOLDER / "css/parts.css").read_text()))
    assert tiles == PICTURES - {"box"}


def test_every_file_that_templates_name_is_built():
    build = (FOLDER / "build.js").read_text()
    for path in TEMPLATES.glob("*.html"):
        for name in re.findall(r'asset\("([^"]+)"\)', path.read_text()):
            stem, _, kind = name.partition(".")
            known = (
                (FOLDER / "pictures" / name).exists() if kind == "svg" else f'{kind}/{stem}.{kind}"' in build
            )
            assert known, name


@pytest.mark.parametrize("folder", [FOLDER, Path(__file__).parent / "browser"])
def test_the_lock_is_complete_and_names_no_host(folder):
    lock = json.loads((folder / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages
    for entry in packages.values():
        assert entry["integrity"]
        assert "resolved" not in entry
    package = json.loads((folder / "package.json").read_text())
    wanted = {**package.get("dependencies", {}), **package.get("devDependencies", {})}
    for name, version in wanted.items():
        assert packages[f"node_modules/{name}"]["version"] == version
