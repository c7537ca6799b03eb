"""Arguments of the files task."""

import pytest
from ansible_collections.tandem.platform.plugins.plugin_utils.file_entries import (
    EntryError,
    notifications,
    parse,
)


def test_defaults_are_filled_in():
    (directory, file) = parse(
        {"files": [{"path": "/etc/x/y", "content": "z"}], "directories": [{"path": "/etc/x"}]}
    )
    assert directory.settings == {"path": "/etc/x", "owner": "root", "group": "root", "mode": "0755"}
    assert (file.settings["mode"], file.settings["secret"], file.origin) == ("0644", False, ("content", "z"))


def test_absent_takes_paths_and_mappings():
    entries = parse({"absent": ["/etc/a", {"path": "/etc/b", "notify": "Restart b"}]})
    assert [(entry.path, entry.notify) for entry in entries] == [("/etc/a", ()), ("/etc/b", ("Restart b",))]


def test_an_entry_that_is_switched_off_is_left_out():
    assert parse({"files": [{"path": "/etc/x", "content": "", "when": False}]}) == []


def test_missing_lists_are_empty():
    assert parse({"files": None}) == []


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"file": []}, "unknown argument 'file'"),
        ({"files": "x"}, "files must be a list"),
        ({"files": ["x"]}, "files[0] must be a mapping"),
        ({"files": [{"path": "/etc/x", "content": "", "onwer": "a"}]}, "unknown key 'onwer'"),
        ({"files": [{"path": "/etc/x"}]}, "exactly one of template, source, content"),
        ({"files": [{"path": "/etc/x", "content": "", "source": "a"}]}, "exactly one of"),
        ({"files": [{"path": "/etc/x", "content": {"a": 1}}]}, "content must be text, not dict"),
        ({"files": [{"path": "/etc/x", "content": "", "vars": {"a": 1}}]}, "vars only make sense"),
        ({"files": [{"path": "/etc/x", "content": "", "mode": 0o644}]}, "mode must be a quoted octal"),
        ({"files": [{"path": "/etc/x", "content": "", "mode": "u+x"}]}, "mode must be a quoted octal"),
        ({"files": [{"path": "/etc/x", "content": "", "secret": "yes"}]}, "secret must be true or false"),
        ({"files": [{"path": "/etc/x", "content": "", "validate": "x"}]}, "validate must contain %s"),
        ({"files": [{"content": ""}]}, "path is missing"),
        ({"directories": [{"path": "etc/x"}]}, "path must be absolute"),
        ({"directories": [{"path": "/etc/../x"}]}, "path must be absolute"),
        ({"absent": ["/etc"]}, "below a top-level directory"),
        ({"absent": ["/"]}, "below a top-level directory"),
        ({"absent": ["/etc/x", "/etc/x"]}, "/etc/x is listed 2 times"),
        ({"links": [{"path": "/etc/x"}]}, "target is missing"),
        (
            {"links": [{"path": "/etc/x", "target": "y", "notify": {"a": 1}}]},
            "notify must be a handler's name",
        ),
    ],
)
def test_wrong_arguments_are_refused(arguments, problem):
    with pytest.raises(EntryError) as refusal:
        parse(arguments)
    assert problem in str(refusal.value)


def test_all_problems_are_told_at_once():
    with pytest.raises(EntryError) as refusal:
        parse({"files": [{"path": "x", "content": ""}, {"path": "/etc/y"}], "more": 1})
    assert len(str(refusal.value).splitlines()) == 3


def test_only_changed_entries_notify_and_each_handler_once():
    entries = parse(
        {
            "files": [
                {"path": "/etc/a", "content": "", "notify": ["Reload x", "Restart y"]},
                {"path": "/etc/b", "content": "", "notify": ["Reload x"]},
                {"path": "/etc/c", "content": "", "notify": ["Restart z"]},
            ]
        }
    )
    assert notifications(entries, ["/etc/a", "/etc/b"]) == ["Reload x", "Restart y"]
    assert notifications(entries, []) == []
