"""The store of secrets on the controller, and the lookup that reads it."""

import multiprocessing
import stat
from pathlib import Path

import pytest
from ansible_collections.tandem.platform.plugins.plugin_utils.secrets import SecretError, Store, public_key


def plain_store(directory):
    return Store(Path(directory), encrypt=lambda plain: plain, decrypt=lambda path: path.read_bytes())


@pytest.fixture
def store(tmp_path):
    return plain_store(tmp_path / "secrets")


def test_a_secret_is_made_once_and_kept(store):
    value = store.get("postgres/users")
    assert len(value) == 32
    assert value.isalnum()
    assert store.get("postgres/users") == value
    assert store.get("postgres/orders") != value


def test_files_and_folders_are_private(store):
    store.get("services/users/key")
    for path in [store.directory, *store.directory.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_ones_own_secret_is_taken_without_its_line_end(store):
    store.directory.mkdir()
    (store.directory / "mine").write_text("chosen\n")
    assert store.get("mine") == "chosen"


def test_a_key_has_a_public_half(store):
    private = store.get("key", "ec-p256")
    assert private.startswith("-----BEGIN PRIVATE KEY-----")
    public = public_key("key", private)
    assert public.startswith("-----BEGIN PUBLIC KEY-----")
    assert public == public_key("key", store.get("key", "ec-p256"))


def test_a_word_has_no_public_half(store):
    with pytest.raises(SecretError, match="not a private key"):
        public_key("word", store.get("word"))


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../x", "a/../b", "a//b", ".hidden", "a b", "a/"])
def test_names_stay_inside_the_store(store, name):
    with pytest.raises(SecretError, match="a name consists of"):
        store.get(name)


def test_unknown_kinds_are_refused(store):
    with pytest.raises(SecretError, match="kind must be one of"):
        store.get("x", "rsa")


def test_an_empty_file_is_not_a_secret(store):
    store.directory.mkdir()
    (store.directory / "empty").write_text("\n")
    with pytest.raises(SecretError, match="is empty"):
        store.get("empty")


def ask(directory, start, answers):
    start.wait()
    answers.put(plain_store(directory).get("shared/secret"))


def test_processes_that_ask_at_once_get_the_same_value(tmp_path):
    context = multiprocessing.get_context("fork")
    start, answers = context.Event(), context.Queue()
    processes = [
        context.Process(target=ask, args=(str(tmp_path / "secrets"), start, answers)) for _ in range(8)
    ]
    for process in processes:
        process.start()
    start.set()
    values = {answers.get(timeout=20) for _ in processes}
    for process in processes:
        process.join()
    assert len(values) == 1
    assert [path.name for path in (tmp_path / "secrets" / "shared").iterdir()] == ["secret"]


LOOKUP = "lookup('tandem.platform.secret', 'postgres/users')"


def test_the_lookup_finds_the_folder_of_the_environment(player):
    tasks = [{"name": "Show", "ansible.builtin.debug": {"msg": f"{{{{ {LOOKUP} }}}}"}}]
    variables = {"base": str(player.directory), "platform_secrets_dir": "{{ base }}/secrets"}
    done = player.play(tasks, "--check", hosts="a,b,c,d", vars=variables)
    assert done.rc == 0, done.output
    value = (player.directory / "secrets" / "postgres" / "users").read_text()
    assert {results["Show"]["msg"] for results in done.results.values()} == {value}


def test_the_lookup_says_what_is_missing(player):
    tasks = [{"name": "Show", "ansible.builtin.debug": {"msg": f"{{{{ {LOOKUP} }}}}"}}]
    assert "set platform_secrets_dir" in player.play(tasks).output


def test_the_lookup_refuses_a_folder_that_ansible_reads_as_inventory(player):
    inventory = player.directory / "inventory"
    (inventory / "group_vars").mkdir(parents=True)
    (inventory / "hosts.yml").write_text("all: {hosts: {here: {ansible_connection: local}}}")
    tasks = [{"name": "Show", "ansible.builtin.debug": {"msg": f"{{{{ {LOOKUP} }}}}"}}]
    for folder, rc in (("secrets", 2), (".secrets", 0)):
        variables = {"platform_secrets_dir": f"{{{{ inventory_dir }}}}/{folder}"}
        done = player.play(tasks, hosts=str(inventory), vars=variables)
        assert done.rc == rc, done.output
        assert ("become names of hosts" in done.output) == (rc != 0)
    assert sorted(path.name for path in inventory.iterdir()) == [".secrets", "group_vars", "hosts.yml"]


def test_secrets_are_encrypted_when_a_vault_password_is_configured(player):
    tasks = [
        {
            "name": "Show",
            "ansible.builtin.debug": {
                "msg": f"{{{{ {LOOKUP} }}}} {{{{ lookup('tandem.platform.secret', 'mine') }}}}"
            },
        }
    ]
    variables = {"platform_secrets_dir": str(player.directory / "secrets")}
    (player.directory / "secrets").mkdir()
    (player.directory / "secrets" / "mine").write_text("chosen\n")
    (player.directory / "vault-password").write_text("opens-it")
    player.environment["ANSIBLE_VAULT_PASSWORD_FILE"] = str(player.directory / "vault-password")
    first = player.play(tasks, vars=variables)
    assert first.rc == 0, first.output
    assert first["Show"]["msg"].endswith(" chosen")
    stored = player.directory / "secrets" / "postgres" / "users"
    assert stored.read_text().startswith("$ANSIBLE_VAULT;")
    assert player.play(tasks, vars=variables)["Show"]["msg"] == first["Show"]["msg"]
    del player.environment["ANSIBLE_VAULT_PASSWORD_FILE"]
    assert "no vault password is configured" in player.play(tasks, vars=variables).output
