"""Variables as plain data: evaluated one by one, so that one that fails is named and the others are read."""

from ansible_collections.tandem.platform.plugins.plugin_utils.plain import Plainer
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


def render(value):
    if value == "{{ broken }}":
        raise ValueError("'broken' is undefined\nmore")
    return {"{{ number }}": NumberTagged(5), "{{ list }}": [Tagged("a")]}.get(value, value)


def plain(value):
    report = Report()
    return Plainer(render, ValueError, report).plain("services", value), report.problems


def test_types_become_plain():
    result, problems = plain({Tagged("a"): [Tagged("x"), NumberTagged(1), True, None, 1.5]})
    assert result == {"a": ["x", 1, True, None, 1.5]}
    assert [type(item) for item in result["a"]] == [str, int, bool, type(None), float]
    assert type(next(iter(result))) is str
    assert problems == []


def test_templates_are_evaluated_with_their_types():
    result, _ = plain({"port": "{{ number }}", "calls": "{{ list }}"})
    assert result == {"port": 5, "calls": ["a"]}
    assert (type(result["port"]), type(result["calls"][0])) == (int, str)


def test_every_failing_item_is_named():
    result, problems = plain(
        {"users": {"port": "{{ broken }}", "app": "a"}, "b": [Lazy({"c": ValueError("no")})]}
    )
    assert str(result) == "{'users': {'port': (not evaluated), 'app': 'a'}, 'b': [{'c': (not evaluated)}]}"
    assert [(problem.where, problem.what) for problem in problems] == [
        ("services.users.port", "can't be evaluated: 'broken' is undefined"),
        ("services.b[0].c", "can't be evaluated: no"),
    ]
