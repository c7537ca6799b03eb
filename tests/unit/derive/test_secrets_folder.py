"""Ansible must not read the secrets' folder as inventory."""

import pytest
from ansible_collections.tandem.platform.plugins.plugin_utils.problems import Report
from ansible_collections.tandem.platform.plugins.plugin_utils.secrets_folder import (
    check_secrets_folder,
    is_read_as_inventory,
)


def hidden(name):
    return name.startswith(".")


@pytest.mark.parametrize(
    ("folder", "sources", "seen"),
    [
        ("/inv/lab/secrets", ["/inv/lab"], True),
        ("/inv/lab", ["/inv/lab"], True),
        ("/inv/lab/.secrets", ["/inv/lab"], False),
        ("/inv/lab/.private/secrets", ["/inv/lab"], False),
        ("/inv/laboratory/secrets", ["/inv/lab"], False),
        ("/safe/secrets", ["/inv/lab", "/inv/more"], False),
        ("/inv/more/secrets", ["/inv/lab", "/inv/more"], True),
        ("/inv/lab/secrets", [], False),  # the inventory is a file
    ],
)
def test_folder_is_seen(folder, sources, seen):
    assert is_read_as_inventory(folder, sources, hidden) is seen
    report = Report()
    check_secrets_folder(folder, sources, hidden, report)
    assert [problem.where for problem in report.problems] == ["platform_secrets_dir"] * seen


def test_what_is_no_folder_is_another_rules_matter():
    report = Report()
    check_secrets_folder(None, ["/inv"], hidden, report)
    assert report.problems == []
