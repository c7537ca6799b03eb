"""Variables as plain data: evaluated one by one, so that one that fails is named and the others are read."""

from ansible_collections.tandem.platform.plugins.plugin_utils.plain import plain
from ansible_collections.tandem.platform.plugins.plugin_utils.problems import Report


class Lazy(dict):
    """A mapping whose items are evaluated when they are read."""

    def __getitem__(self, key):
        value = super().__getitem__(key)
        if isinstance(value, Exception):
            raise value
        return value


class Tagged(str):
    """Text of a type of its own, as Ansible's are."""


class NumberTagged(int):
    """The same for numbers."""


def test_types_become_plain():
    report = Report()
    value = Lazy({Tagged("a"): [Tagged("x"), NumberTagged(1), True, None, 1.5]})
    result = plain("v", lambda: value, ValueError, report)
    assert result == {"a": ["x", 1, True, None, 1.5]}
    assert [type(item) for item in result["a"]] == [str, int, bool, type(None), float]
    assert type(next(iter(result))) is str


def test_every_failing_item_is_named():
    report = Report()
    value = {
        "users": Lazy({"port": ValueError("'x' is undefined\nmore"), "app": "a"}),
        "b": [Lazy({"c": ValueError("no")})],
    }
    assert plain("services", lambda: value, ValueError, report) == {
        "users": {"port": None, "app": "a"},
        "b": [{"c": None}],
    }
    assert [(problem.where, problem.what) for problem in report.problems] == [
        ("services.users.port", "can't be evaluated: 'x' is undefined"),
        ("services.b[0].c", "can't be evaluated: no"),
    ]
