"""Changing a key that signs: who knows which key at which moment, whatever stops it."""

import os
import time
from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.tandem.platform.plugins.filter.public_keys import FilterModule
from ansible_collections.tandem.platform.plugins.plugin_utils.secrets import SecretError, Store, public_key
from ansible_collections.tandem.platform.plugins.plugin_utils.signing_keys import (
    KIND,
    SigningKey,
    public_halves,
    secret_name,
)
from ansible_collections.tandem.platform.plugins.plugin_utils.token_keys import key_id, public_keys

NAME = "services/users/jwt_key"


@pytest.fixture
def store(tmp_path):
    """A store that keeps its files as if they were encrypted."""
    folder = tmp_path / "secrets"
    return Store(folder, lambda plain: plain[::-1], lambda path: Path(path).read_bytes()[::-1])


@pytest.fixture
def key(store):
    return SigningKey(store, NAME)


def signer(key):
    """The public half of the key with which the service signs after a deployment."""
    return public_key(NAME, key.store.get(NAME, KIND))


def verifiers(key):
    """The keys that everybody knows after a deployment."""
    return public_halves(key.store, NAME, key.store.get(NAME, KIND))


def age(key, seconds):
    path = key.store.directory / f"{NAME}.previous"
    os.utime(path, (time.time() - seconds,) * 2)


def test_a_key_that_was_never_changed_stands_alone(key):
    assert verifiers(key) == [signer(key)]
    assert key.state() == []
    assert not key.switch()
    assert not key.retire()


def test_everybody_knows_the_next_key_before_it_signs(key):
    old = signer(key)
    assert key.prepare(900)
    told = verifiers(key)
    assert signer(key) == old
    assert len(told) == 2
    assert old in told
    assert key.switch()
    assert signer(key) != old
    assert signer(key) in told
    assert verifiers(key) == told, "nobody who verifies has anything to load anew"
    assert key.state() == ["previous"]


def test_the_previous_key_counts_until_it_is_retired(key):
    old = signer(key)
    key.prepare(900)
    key.switch()
    assert old in verifiers(key)
    assert key.retire()
    assert verifiers(key) == [signer(key)]
    assert not key.retire()


def test_the_next_change_ends_the_previous_key(key):
    old = signer(key)
    key.prepare(900)
    key.switch()
    middle = signer(key)
    age(key, 901)
    key.prepare(900)
    assert {old, middle} < set(verifiers(key))
    key.switch()
    assert set(verifiers(key)) == {middle, signer(key)}


def test_a_key_is_not_changed_again_at_once(key):
    key.prepare(900)
    key.switch()
    age(key, 890)
    present = verifiers(key)
    with pytest.raises(SecretError, match=r"changed 89\d s ago.*run site.yml"):
        key.prepare(900)
    assert verifiers(key) == present
    assert key.state() == ["previous"]


def test_steps_can_be_repeated(key):
    key.prepare(900)
    told = verifiers(key)
    assert not key.prepare(900)
    assert verifiers(key) == told
    key.switch()
    present = signer(key)
    assert not key.switch()
    assert signer(key) == present


def test_a_switch_that_was_interrupted_goes_on(key, monkeypatch):
    """The present key's public half is kept before anything else is changed."""
    old = signer(key)
    key.prepare(900)
    told = verifiers(key)
    with monkeypatch.context() as patch:
        patch.setattr(Store, "rename", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            key.switch()
    assert (signer(key), verifiers(key)) == (old, told)
    assert not key.prepare(900), "a change that has begun is not too young"
    assert key.switch()
    assert signer(key) != old
    assert verifiers(key) == told


def test_nothing_is_retired_in_the_midst_of_a_change(key):
    key.prepare(900)
    with pytest.raises(SecretError, match="finish it"):
        key.retire()


def test_all_is_stored_as_secrets_are(key):
    key.prepare(900)
    key.switch()
    age(key, 1000)
    key.prepare(900)
    files = sorted((key.store.directory / "services" / "users").iterdir())
    assert [path.name for path in files] == ["jwt_key", "jwt_key.next", "jwt_key.previous"]
    for path in files:
        assert path.stat().st_mode & 0o777 == 0o600
        assert b"BEGIN" not in path.read_bytes()


def test_keys_of_the_catalog():
    services = {
        "users": {"secrets": [{"name": "jwt_key", "kind": KIND}, {"name": "word", "kind": "random"}]},
        "orders": {"secrets": [{"name": "jwt_public", "kind": None}]},
    }
    assert secret_name("users/jwt_key", services) == NAME
    for wrong in ("users/word", "orders/jwt_public", "jwt_key", "", "../users/jwt_key"):
        with pytest.raises(SecretError, match=r"is no key of the catalog.*users/jwt_key"):
            secret_name(wrong, services)


def test_single_keys_of_a_text(key):
    key.prepare(900)
    told = verifiers(key)
    assert public_keys("".join(told)) == told
    assert len({key_id(one) for one in FilterModule().filters()["public_keys"]("".join(told))}) == 2


def test_texts_that_are_not_made_of_public_keys(key):
    private = key.store.get(NAME, KIND)
    for text in ("", "x", private, signer(key) + private, signer(key)[:-30]):
        with pytest.raises(ValueError, match="not public keys"):
            public_keys(text)
        with pytest.raises(AnsibleFilterError, match="not public keys"):
            FilterModule().filters()["public_keys"](text)


PUBLIC = f"lookup('tandem.platform.secret', '{NAME}', kind='ec-p256', public=true)"
CATALOG = {"users": {"secrets": [{"name": "jwt_key", "kind": KIND}]}}


def test_the_lookup_and_the_action_use_one_store(player):
    def step(step, **more):
        arguments = {"key": "users/jwt_key", "services": CATALOG, "step": step, **more}
        return {"name": step, "tandem.platform.signing_key": arguments}

    tasks = [
        {"name": "before", "ansible.builtin.debug": {"msg": f"{{{{ {PUBLIC} }}}}"}},
        step("prepare"),
        {"name": "between", "ansible.builtin.debug": {"msg": f"{{{{ {PUBLIC} }}}}"}},
        step("switch"),
        {"name": "after", "ansible.builtin.debug": {"msg": f"{{{{ {PUBLIC} }}}}"}},
    ]
    variables = {"platform_secrets_dir": str(player.directory / "secrets")}
    done = player.play(tasks, vars=variables)
    assert done.rc == 0, done.output
    (results,) = done.results.values()
    before, between, after = (results[name]["msg"] for name in ("before", "between", "after"))
    assert before in between
    assert between == after
    assert len(public_keys(after)) == 2
    assert results["prepare"]["changed"] is True
    assert results["prepare"]["state"] == ["next"]
    assert results["switch"]["state"] == ["previous"]
    assert "BEGIN PRIVATE" not in done.output

    refused = player.play([step("prepare")], vars=variables)
    assert refused.rc == 2
    assert "Next: run site.yml" in refused.output
    predicted = player.play([step("retire")], "--check", vars=variables)
    assert predicted.rc == 0, predicted.output
    assert player.play([step("retire")], vars=variables).rc == 0
    assert not (player.directory / "secrets" / f"{NAME}.previous").exists()
