"""Every dashboard satisfies the types that Grafana publishes (`@grafana/schema`), checked by TypeScript's compiler."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from dashboards.__main__ import files

SCHEMA = Path(__file__).parent / "schema"
CACHE = Path(__file__).resolve().parents[3] / ".cache" / "grafana-schema"
COMPILER = ["--noEmit", "--strict", "--skipLibCheck", "--moduleResolution", "node", "--module", "esnext"]


@pytest.fixture(scope="module")
def compiler():
    """A folder with the types and the compiler, installed once per version."""
    installed = CACHE / "installed.json"
    if not installed.is_file() or installed.read_bytes() != (SCHEMA / "package-lock.json").read_bytes():
        shutil.copytree(SCHEMA, CACHE, dirs_exist_ok=True)
        subprocess.run(["npm", "ci"], cwd=CACHE, check=True, capture_output=True)
        shutil.copy(CACHE / "package-lock.json", installed)
    shutil.copy(SCHEMA / "check.ts", CACHE)
    return CACHE


def statements(dashboard):
    """TypeScript that is right if the dashboard is."""
    yield "import type { Board, Custom, Loki, Options } from './check';"
    yield f"export const board: Board = {json.dumps(dashboard)};"
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            continue
        number, kind = panel["id"], panel["type"]
        yield f"export const options{number}: Options['{kind}'] = {json.dumps(panel.get('options', {}))};"
        custom = panel["fieldConfig"]["defaults"].get("custom", {})
        yield f"export const custom{number}: Custom['{kind}'] = {json.dumps(custom)};"
        if panel["datasource"]["type"] == "loki":
            yield f"export const queries{number}: Loki[] = {json.dumps(panel['targets'])};"


def checked(folder, dashboards):
    """What the compiler says; empty if all is right."""
    for path in folder.glob("board-*.ts"):
        path.unlink()
    names = [f"board-{index}.ts" for index in range(len(dashboards))]
    for name, dashboard in zip(names, dashboards, strict=True):
        (folder / name).write_text("\n".join(statements(dashboard)) + "\n")
    command = ["node", "node_modules/typescript/bin/tsc", *COMPILER, *names]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True).stdout


def test_every_dashboard_satisfies_grafanas_types_and_wrong_ones_do_not(compiler):
    dashboards = [json.loads(content) for content in files().values()]
    assert checked(compiler, dashboards) == ""
    place, word, key = (json.loads(json.dumps(dashboards[0])) for _ in range(3))
    place["panels"][1]["gridPos"]["w"] = "wide"
    word["panels"][1]["options"]["colorMode"] = "rainbow"
    key["refreshing"] = True
    said = checked(compiler, [place, word, key])
    for expected in (
        "board-0.ts",
        "'string' is not assignable",
        "board-1.ts",
        "rainbow",
        "board-2.ts",
        "refreshing",
    ):
        assert expected in said, said
