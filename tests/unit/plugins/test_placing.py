"""Placing files: plan, diff and apply, in a folder of the test."""

import base64
import os
import stat
from pathlib import Path

import pytest
from ansible_collections.tandem.platform.plugins.module_utils.placing import PlacingError, Planner


def file_entry(me, path, content="new\n", **more):
    if isinstance(content, str):
        content = content.encode()
    return {
        "path": str(path),
        "content": base64.b64encode(content).decode(),
        "mode": "0644",
        "validate": "",
        "secret": False,
        "backup": False,
        **me,
        **more,
    }


def mode_of(path):
    return f"{stat.S_IMODE(path.lstat().st_mode):04o}"


@pytest.fixture
def planner():
    return Planner(check_mode=False)


def test_a_new_file_lands_with_content_and_mode(planner, me, tmp_path):
    change = planner.plan("files", file_entry(me, tmp_path / "a", mode="0640"))
    assert not (tmp_path / "a").exists()
    change.apply()
    assert ((tmp_path / "a").read_text(), mode_of(tmp_path / "a")) == ("new\n", "0640")
    assert planner.plan("files", file_entry(me, tmp_path / "a", mode="0640")) is None


def test_nothing_temporary_is_left(planner, me, tmp_path):
    planner.plan("files", file_entry(me, tmp_path / "a")).apply()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_wrong_mode_alone_is_set_without_writing(planner, me, tmp_path):
    (tmp_path / "a").write_text("new\n")
    (tmp_path / "a").chmod(0o600)
    inode = (tmp_path / "a").stat().st_ino
    change = planner.plan("files", file_entry(me, tmp_path / "a"))
    assert "mode 0600 -> 0644" in change.diff["prepared"]
    change.apply()
    assert (mode_of(tmp_path / "a"), (tmp_path / "a").stat().st_ino) == ("0644", inode)


def test_a_link_is_replaced_by_the_file_and_its_target_is_untouched(planner, me, tmp_path):
    (tmp_path / "target").write_text("old\n")
    (tmp_path / "a").symlink_to("target")
    planner.plan("files", file_entry(me, tmp_path / "a")).apply()
    assert not (tmp_path / "a").is_symlink()
    assert (tmp_path / "target").read_text() == "old\n"


def test_a_backup_keeps_the_replaced_content(planner, me, tmp_path):
    (tmp_path / "a").write_text("old\n")
    planner.plan("files", file_entry(me, tmp_path / "a", backup=True)).apply()
    (kept,) = tmp_path.glob("a.*.bak")
    assert kept.read_text() == "old\n"


def test_the_diff_shows_both_texts(planner, me, tmp_path):
    (tmp_path / "a").write_text("old\n")
    diff = planner.plan("files", file_entry(me, tmp_path / "a")).diff
    assert (diff["before"], diff["after"]) == ("old\n", "new\n")


@pytest.mark.parametrize(
    ("content", "more", "said"),
    [
        ("hunter2", {"secret": True}, "secret, not shown"),
        (b"\x00\xff", {}, "not text"),
        (b"a\x00b", {}, "not text"),
        ("x" * 300_000, {}, "too large to show"),
    ],
)
def test_the_diff_does_not_show_everything(planner, me, tmp_path, content, more, said):
    diff = planner.plan("files", file_entry(me, tmp_path / "a", content, **more)).diff
    assert said in diff["prepared"]
    assert "hunter2" not in str(diff)


def test_a_missing_directory_is_a_problem_unless_it_is_coming(planner, me, tmp_path):
    entry = file_entry(me, tmp_path / "d" / "e" / "a")
    with pytest.raises(PlacingError, match="add it to `directories`"):
        planner.plan("files", entry)
    directory = planner.plan("directories", {"path": str(tmp_path / "d" / "e"), "mode": "0700", **me})
    file = planner.plan("files", entry)
    directory.apply()
    file.apply()
    assert (mode_of(tmp_path / "d"), mode_of(tmp_path / "d" / "e")) == ("0755", "0700")
    assert (tmp_path / "d" / "e" / "a").exists()


def test_an_unknown_group_is_a_problem_or_a_prediction(me, tmp_path):
    entry = file_entry(me, tmp_path / "a") | {"group": "nobody-has-this-group"}
    with pytest.raises(PlacingError, match="group 'nobody-has-this-group' does not exist"):
        Planner(check_mode=False).plan("files", entry)
    assert Planner(check_mode=True).plan("files", entry).path == str(tmp_path / "a")


def test_numbers_are_owners_too(planner, tmp_path):
    entry = file_entry({"owner": str(os.getuid()), "group": str(os.getgid())}, tmp_path / "a")
    planner.plan("files", entry).apply()
    assert planner.plan("files", entry) is None


def test_what_is_in_the_way_is_told(planner, me, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "f").write_text("")
    with pytest.raises(PlacingError, match="is a directory, a file is wanted"):
        planner.plan("files", file_entry(me, tmp_path / "d"))
    with pytest.raises(PlacingError, match="is not a directory"):
        planner.plan("directories", {"path": str(tmp_path / "f"), "mode": "0755", **me})
    with pytest.raises(PlacingError, match="is not a link"):
        planner.plan("links", {"path": str(tmp_path / "f"), "target": "d"})


def test_links_are_made_and_turned(planner, tmp_path):
    for target in ("a", "./b", "/c"):
        entry = {"path": str(tmp_path / "l"), "target": target}
        planner.plan("links", entry).apply()
        assert (tmp_path / "l").readlink() == Path(target)
        assert planner.plan("links", entry) is None


def test_files_links_and_directories_are_removed(planner, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_text("")
    (tmp_path / "l").symlink_to("d")
    planner.plan("absent", {"path": str(tmp_path / "l")}).apply()
    assert (tmp_path / "d" / "f").exists()
    planner.plan("absent", {"path": str(tmp_path / "d")}).apply()
    assert list(tmp_path.iterdir()) == []
    assert planner.plan("absent", {"path": str(tmp_path / "d")}) is None
