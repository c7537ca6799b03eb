"""Every alert is sound, has a runbook, and is shown to fire and not to fire."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
RULES = sorted((ROOT / "roles" / "prometheus" / "files" / "rules").glob("*.yml"))
TESTS = sorted((ROOT / "tests" / "alerts").glob("*.yml"))
RUNBOOKS = ROOT / "docs" / "runbooks"
HEADINGS = ["What it means", "How to confirm", "What to do", "How to know that it is over"]
ALWAYS_FIRING = {"Watchdog"}


def rules_of(path):
    return [rule for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


ALERTS = {rule["alert"]: rule for path in RULES for rule in rules_of(path) if "alert" in rule}
CHECKS = [
    check
    for path in TESTS
    for test in yaml.safe_load(path.read_text())["tests"]
    for check in test["alert_rule_test"]
]

each_alert = pytest.mark.parametrize("name", sorted(ALERTS))


def run(*command):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_accepts_the_rules(promtool):
    run(promtool, "check", "rules", *map(str, RULES))


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_rules_do_what_their_tests_say(promtool, path):
    run(promtool, "test", "rules", str(path))


def test_no_name_is_used_twice():
    names = [rule.get("alert") or rule["record"] for path in RULES for rule in rules_of(path)]
    assert sorted(names) == sorted(set(names))


@each_alert
def test_labels_and_annotations(name):
    alert = ALERTS[name]
    assert re.fullmatch(r"([A-Z][a-z]*|\d+)+", name)
    assert alert["labels"]["severity"] in {"page", "ticket"}
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
    assert alert["annotations"]["runbook_url"] == f"docs/runbooks/{name}.md"


@each_alert
def test_it_is_shown_to_fire(name):
    assert [check for check in CHECKS if check["alertname"] == name and check["exp_alerts"]]


@pytest.mark.parametrize("name", sorted(set(ALERTS) - ALWAYS_FIRING))
def test_it_is_shown_not_to_fire(name):
    assert [check for check in CHECKS if check["alertname"] == name and not check["exp_alerts"]]


@each_alert
def test_its_runbook_says_what_one_needs(name):
    text = (RUNBOOKS / f"{name}.md").read_text()
    assert text.startswith(f"# {name}\n\nSeverity: {ALERTS[name]['labels']['severity']}")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == HEADINGS
    assert "```sh\n" in text.partition("## How to confirm")[2].partition("## What to do")[0]


def test_every_runbook_belongs_to_an_alert():
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == set(ALERTS)


@pytest.mark.parametrize("path", sorted(RUNBOOKS.glob("*.md")), ids=lambda path: path.stem)
def test_its_links_lead_somewhere(path):
    text = path.read_text()
    for target in re.findall(r"\]\(([^)#]+)", text):
        assert (path.parent / target).is_file(), target
