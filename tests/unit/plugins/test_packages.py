"""Which packages are missing."""

import pytest
from ansible_collections.tandem.platform.plugins.action.packages import with_fresh_lists
from ansible_collections.tandem.platform.plugins.module_utils.dpkg import missing

KNOWN = "curl\t8.14\tinstalled\nnginx\t1.26\tconfig-files\nhaproxy\t3.0\tinstalled\n"


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (["curl", "haproxy=3.0"], []),
        (["haproxy=3.1", "curl"], ["haproxy=3.1"]),
        (["nginx"], ["nginx"]),
        (["no-such-package", "curl"], ["no-such-package"]),
        ([], []),
    ],
)
def test_what_dpkg_does_not_have_is_missing(wanted, expected):
    assert missing(wanted, ask=lambda names: KNOWN) == expected


def test_check_mode_predicts_without_apt(player, program):
    folder = program("dpkg-query", "#!/bin/sh\nprintf 'curl\\t8\\tinstalled\\n'\n")
    player.environment["PATH"] = f"{folder}:/usr/bin:/bin"
    done = player.play(
        [
            {"name": "One", "tandem.platform.packages": {"names": ["curl", "no-such-package"]}},
            {"name": "None", "tandem.platform.packages": {"names": ["curl"]}},
        ],
        "--check",
        "--diff",
    )
    assert (done["One"]["changed"], done["One"]["missing"]) == (True, ["no-such-package"])
    assert done["One"]["diff"] == [{"prepared": "packages to install: no-such-package\n"}]
    assert done["None"]["changed"] is False


@pytest.mark.parametrize(
    ("valid_for", "answers", "asked"),
    [
        (3600, [{"changed": True}], [3600]),
        (3600, [{"failed": True}, {"changed": True}], [3600, 0]),
        (3600, [{"failed": True}, {"failed": True, "msg": "again"}], [3600, 0]),
        (0, [{"failed": True}], [0]),
    ],
)
def test_a_package_that_is_not_found_may_be_in_newer_lists(valid_for, answers, asked):
    seen = []

    def install(seconds):
        seen.append(seconds)
        return answers[len(seen) - 1]

    assert with_fresh_lists(install, valid_for) == answers[-1]
    assert seen == asked
