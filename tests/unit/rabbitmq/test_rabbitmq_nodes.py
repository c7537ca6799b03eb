"""How a node gets into its cluster, what RabbitMQ's commands say, and how passwords are stored."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.tandem.platform.plugins.module_utils import rabbitmq_cli as cli
from ansible_collections.tandem.platform.plugins.module_utils import rabbitmq_node as node
from ansible_collections.tandem.platform.plugins.plugin_utils import rabbitmq_passwords as passwords

A, B, C = (f"rabbit@{name}.tandem.test" for name in ("a", "b", "c"))


def says(text: str) -> cli.Run:
    """A command that says this."""

    def run(words: Sequence[str], timeout_s: float) -> str:
        return text

    return run


# --- getting in ------------------------------------------------------------------------------------------------------


def test_the_first_node_forms_the_cluster() -> None:
    assert node.entry(A, [A, B, C], [], None) == ["form"]


def test_a_majority_may_form_it_while_one_host_is_away() -> None:
    assert node.entry(A, [A, B, C], [C], None) == ["form"]


def test_a_minority_may_not() -> None:
    with pytest.raises(
        node.NodeError, match=r"could be a second one\. Next: bring back rabbit@b.*, rabbit@c"
    ):
        node.entry(A, [A, B, C], [B, C], None)


def test_a_minority_may_join() -> None:
    assert node.entry(A, [A, B, C], [C], [B, C]) == ["join"]


def test_a_node_that_lost_its_data_gives_its_old_place_up_first() -> None:
    assert node.entry(A, [A, B, C], [], [A, B, C]) == ["forget", "join"]


def test_states_of_a_place(tmp_path: Path) -> None:
    place = node.Place(tmp_path / ".member", tmp_path / A)
    assert place.state == "blank"
    place.member_file.write_text(node.MEMBER)
    assert place.state == "blank"  # its data is gone
    place.data_directory.mkdir()
    assert place.state == "member"
    place.member_file.write_text(node.JOINING)
    assert place.state == "joining"


# --- RabbitMQ's commands ---------------------------------------------------------------------------------------------


def test_a_cluster_is_read_also_when_erlang_breaks_the_lines() -> None:
    said = f"['{A}',\n '{B}','{C}'] - ['{A}'] - 12ok\n"
    assert cli.cluster_of(A, says(said)) == cli.Cluster((A, B, C), (A,), 12)


def test_an_answer_that_is_none_is_an_error() -> None:
    with pytest.raises(cli.CliError, match="was asked for its cluster and said: Error: nodedown"):
        cli.cluster_of(A, says("Error: nodedown\n"))


def test_holdings_are_read_by_queue() -> None:
    assert cli.holdings("tandem", ["a:x.y", "b"], says("3 0 a:x.y\n0 1 b\nok\n")) == {
        "a:x.y": (3, 0),
        "b": (0, 1),
    }


def test_a_queue_of_which_nothing_is_said_is_an_error() -> None:
    with pytest.raises(cli.CliError, match="nothing was said of b"):
        cli.holdings("tandem", ["a", "b"], says("3 0 a\nok\n"))


def test_no_queues_cost_no_command() -> None:
    def never(words: Sequence[str], timeout_s: float) -> str:
        raise AssertionError(words)

    assert cli.holdings("tandem", [], never) == {}


def test_names_are_quoted_for_erlang() -> None:
    assert cli.quoted('a"b\\c') == '<<"a\\"b\\\\c">>'


# --- passwords -------------------------------------------------------------------------------------------------------


def test_a_hash_is_salted_as_rabbitmq_expects_and_is_the_same_again() -> None:
    stored = passwords.password_hash("secret", "orders.1")
    raw = base64.b64decode(stored)
    assert len(raw) == 36
    assert raw[4:] == hashlib.sha256(raw[:4] + b"secret").digest()
    assert stored == passwords.password_hash("secret", "orders.1")
    assert stored != passwords.password_hash("secret", "orders.2")


def test_users_get_their_hash_in_the_place_of_the_secrets_name() -> None:
    (user,) = passwords.hashed_users([{"name": "a", "secret": "services/a", "read": "^$"}], ["x"])
    assert user == {"name": "a", "read": "^$", "password_hash": passwords.password_hash("x", "a")}


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (None, "listens"),
        (ConnectionRefusedError(), "refuses"),
        (TimeoutError(), "silent"),
        (OSError(113, ""), "silent"),
    ],
)
def test_a_node_that_is_down_is_told_from_one_out_of_reach(
    raised: Exception | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Connection:
        def close(self) -> None:
            pass

    def connect(address: tuple[str, int], timeout: float) -> Connection:
        assert address == ("b.tandem.test", 25672)
        if raised:
            raise raised
        return Connection()

    monkeypatch.setattr(cli.socket, "create_connection", connect)
    assert cli.answer(B) == expected


def test_an_empty_password_and_a_missing_one_are_refused() -> None:
    with pytest.raises(ValueError, match=r"password of orders\.1 is empty"):
        passwords.password_hash("", "orders.1")
    with pytest.raises(ValueError, match="2 users and 1 passwords"):
        passwords.hashed_users([{"name": "a"}, {"name": "b"}], ["x"])
