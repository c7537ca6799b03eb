"""The files task: templates, handlers, check mode, validation, secrets."""

import pytest
import yaml

TEMPLATE = """\
# {{ ansible_managed }}
{% for number in [1, 2] %}
{{ word }} {{ number }} {{ inventory_hostname }}
{% endfor %}
{% include "part.j2" %}
"""


@pytest.fixture
def out(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def place(player):
    """Run a role with one files task of these arguments, templates, files, and handlers First and Second."""
    base = player.directory / "roles" / "placed"
    for folder in ("templates", "files", "handlers", "tasks"):
        (base / folder).mkdir(parents=True)
    (base / "templates" / "whole.j2").write_text(TEMPLATE)
    (base / "templates" / "part.j2").write_text("part of {{ word }}\n")
    (base / "files" / "bytes").write_bytes(b"\x00\xff{{ raw }}")
    handlers = [{"name": name, "ansible.builtin.debug": {"msg": "ran"}} for name in ("First", "Second")]
    (base / "handlers" / "main.yml").write_text(yaml.safe_dump(handlers))

    def run(task, *options, keywords=None, **variables):
        tasks = [{"name": "Place", "tandem.platform.files": task, **(keywords or {})}]
        (base / "tasks" / "main.yml").write_text(yaml.safe_dump(tasks))
        return player.play([], *options, roles=["placed"], vars=variables)

    return run


def handlers_of(played):
    return [name.removeprefix("placed : ") for name in played.ran if name != "placed : Place"]


def test_a_role_places_templates_sources_and_links(place, out, me):
    task = {
        "directories": [{"path": f"{out}/d", **me}],
        "files": [
            {"template": "whole.j2", "path": f"{out}/d/whole", "vars": {"word": "hello"}, **me},
            {"source": "bytes", "path": f"{out}/d/bytes", "notify": "{{ omit }}", **me},
            {"content": "{{ 1 + 1 }} {{ text }}", "path": f"{out}/d/text", **me},
        ],
        "links": [{"path": f"{out}/l", "target": "d/whole"}],
        "absent": [f"{out}/gone"],
    }
    (out / "gone").write_text("")
    predicted = place(task, "--check", text="t")
    assert predicted.rc == 0, predicted.output
    assert list(out.iterdir()) == [out / "gone"]
    done = place(task, text="t")
    assert done.rc == 0, done.output
    assert done["placed : Place"]["changed_paths"] == predicted["placed : Place"]["changed_paths"]
    assert (out / "l").read_text() == "# Ansible managed\nhello 1 here\nhello 2 here\npart of hello\n"
    assert (out / "d" / "bytes").read_bytes() == b"\x00\xff{{ raw }}"
    assert (out / "d" / "text").read_text() == "2 t"
    assert place(task, text="t")["placed : Place"]["changed"] is False


def test_only_handlers_of_changed_entries_run(place, out, me):
    task = {
        "files": [
            {"content": "{{ one }}", "path": f"{out}/1", "notify": ["First"], **me},
            {"content": "{{ two }}", "path": f"{out}/2", "notify": ["Second"], **me},
        ]
    }
    assert handlers_of(place(task, one="a", two="a")) == ["First", "Second"]
    assert handlers_of(place(task, one="a", two="a")) == []
    assert handlers_of(place(task, "--check", one="a", two="b")) == ["Second"]
    assert handlers_of(place(task, one="a", two="b")) == ["Second"]
    # The task's own `notify` stays what it is everywhere: any change of the task.
    both = place(task, one="b", two="b", keywords={"notify": ["Second"]})
    assert handlers_of(both) == ["First", "Second"]


def test_an_unknown_handler_is_an_error(place, out, me):
    done = place({"files": [{"content": "", "path": f"{out}/1", "notify": ["Third"], **me}]})
    assert done.rc != 0
    assert "'Third' was not found" in done.output


def test_nothing_is_written_when_one_file_is_not_valid(place, out, me):
    task = {
        "files": [
            {"content": "fine\n", "path": f"{out}/1", "validate": "grep -q fine %s", **me},
            {"content": "wrong\n", "path": f"{out}/2.conf", "validate": "ls %s no-such-file-here", **me},
        ]
    }
    failed = place(task)
    message = failed["placed : Place"]["msg"]
    assert failed.rc != 0
    assert list(out.iterdir()) == []
    assert f"{out}/2.conf is not valid" in message
    assert "no-such-file-here" in message
    assert "Next:" in message
    # What the program misses may be what an earlier task of the same run brings.
    predicted = place(task, "--check")
    assert predicted.rc == 0
    assert "is not valid" in predicted["placed : Place"]["notes"][0]


def test_a_program_that_is_not_installed_is_a_note_in_check_mode(place, out, me):
    task = {"files": [{"content": "", "path": f"{out}/1", "validate": "no-such-program %s", **me}]}
    predicted = place(task, "--check")
    assert (predicted.rc, predicted["placed : Place"]["changed"]) == (0, True)
    assert "'no-such-program' is not installed" in predicted["placed : Place"]["notes"][0]
    assert "Next: install it" in place(task)["placed : Place"]["msg"]


def test_a_secret_is_nowhere_in_the_output(place, out, me):
    task = {
        "files": [
            {"content": "{{ word }}", "path": f"{out}/1", "secret": True, "mode": "0600", **me},
            {"template": "whole.j2", "path": f"{out}/2", "secret": True, "validate": "true %s", **me},
        ]
    }
    done = place(task, "--diff", "-vvvv", word="correct-horse")
    assert done.rc == 0, done.output
    assert (out / "1").read_text() == "correct-horse"
    assert "correct-horse" not in done.output
    assert "secret, not shown" in done.output
    failing = [entry | {"validate": "grep horse-battery\\|horse %s no-such-file"} for entry in task["files"]]
    failed = place({"files": failing}, "--diff", "-vvvv", word="incorrect-horse")
    assert failed.rc != 0
    assert "output is hidden" in failed.output
    assert "incorrect-horse" not in failed.output


def test_the_diff_is_shown_when_asked_for(place, out, me):
    task = {"files": [{"content": "{{ word }}\n", "path": f"{out}/1", **me}]}
    place(task, word="old")
    (diff,) = place(task, "--diff", word="new")["placed : Place"]["diff"]
    assert (diff["before"], diff["after"]) == ("old\n", "new\n")


def test_what_is_wrong_is_told_before_the_host_is_touched(player, out, me):
    cases = {
        "undefined": ({"template": "whole.j2"}, "'word' is undefined"),
        "no template": ({"template": "none.j2"}, "none.j2"),
        "no source": ({"source": "none"}, "none"),
        "unknown key": ({"content": "", "mdoe": "0600"}, "unknown key 'mdoe'"),
        "too large": ({"content": "x" * 5_000_000}, "ansible.builtin.copy"),
    }
    (player.directory / "templates").mkdir()
    (player.directory / "templates" / "whole.j2").write_text(TEMPLATE)
    tasks = [
        {
            "name": name,
            "tandem.platform.files": {"files": [entry | {"path": f"{out}/1"} | me]},
            "ignore_errors": True,
        }
        for name, (entry, _) in cases.items()
    ]
    done = player.play(tasks)
    for name, (_, said) in cases.items():
        assert done[name]["failed"], name
        assert said in done[name]["msg"], name
    assert list(out.iterdir()) == []
