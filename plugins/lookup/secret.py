# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Look up a secret of the environment, made on first use."""

# Ansible ships no type information; everything with types lives in plugin_utils.
# mypy: disable-error-code="import-untyped, misc"

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.inventory.manager import IGNORED
from ansible.parsing.vault import VaultLib
from ansible.plugins.lookup import LookupBase

from ..plugin_utils.secrets import SecretError, Store
from ..plugin_utils.signing_keys import public_halves

DOCUMENTATION = r"""
name: secret
short_description: A secret of this environment, made on first use
description:
  - Returns a secret from the environment's own folder on the controller. A secret that does not exist yet is
    made, also in check mode, because the folder is the controller's store and not a managed host.
  - When a vault password is configured (C(--vault-id), C(ANSIBLE_VAULT_PASSWORD_FILE)), new secrets are
    stored encrypted with ansible-vault. Secrets that are encrypted are decrypted, others are read as they
    are.
  - Several hosts that ask for the same new secret at once get the same value.
  - To give a secret of one's own, put it into the file before the first run. To replace one, remove its file.
options:
  _terms:
    description: Names of secrets, such as C(postgres/users); also their paths below the folder.
    required: true
  kind:
    description: What to make. C(random) is 32 letters and digits, C(ec-p256) a private key in PEM form.
    type: str
    choices: [random, ec-p256]
    default: random
  public:
    description:
      - Return the public half of a key instead, PEM. While and after a key is changed
        (M(tandem.platform.signing_key)) it is those of two keys, one after the other.
    type: bool
    default: false
  directory:
    description:
      - The folder; the variable C(platform_secrets_dir) when empty. Beside the inventory its name must start with
        a dot, because Ansible reads all other files there as inventories.
    type: str
    default: ""
author:
  - The Tandem authors
"""

EXAMPLES = r"""
- name: Place the password
  tandem.platform.files:
    files:
      - path: /etc/x/password
        content: "{{ lookup('tandem.platform.secret', 'x/password') }}"
        mode: "0600"
        secret: true
"""

RETURN = r"""
_raw:
  description: The secrets.
  type: list
  elements: str
"""


def refuse_inventory_folder(directory: Path, inventory: str) -> None:
    """Refuse a folder in which Ansible takes every file for an inventory and each secret for a host's name.

    Raises `AnsibleError`.
    """
    if not inventory or not directory.is_relative_to(inventory):
        return
    parts = directory.relative_to(inventory).parts
    if not any(IGNORED.search(part.encode()) for part in parts):
        raise AnsibleError(
            f"secrets in {directory} would be read as inventory files and become names of hosts. Next: choose a "
            "name that starts with a dot for platform_secrets_dir, such as .secrets, and move the folder there."
        )


class LookupModule(LookupBase):
    """The lookup `tandem.platform.secret`."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        """Return one value per term."""
        self.set_options(var_options=variables, direct=kwargs)
        store = self.store(variables or {}, self.get_option("directory"))
        kind = self.get_option("kind")
        try:
            values = [(str(term), store.get(str(term), kind)) for term in terms]
            if not self.get_option("public"):
                return [value for _, value in values]
            return ["".join(public_halves(store, name, value)) for name, value in values]
        except SecretError as error:
            raise AnsibleError(str(error)) from None

    def store(self, variables: dict[str, Any], directory: str = "") -> Store:
        """Return the folder, by default that of the environment. Raises `AnsibleError`."""
        directory = directory or self._templar.template(variables.get("platform_secrets_dir", ""))
        if not directory:
            raise AnsibleError("no folder for secrets: set platform_secrets_dir in the inventory")
        path = Path(str(directory)).expanduser().absolute()
        refuse_inventory_folder(path, str(variables.get("inventory_dir") or ""))
        return Store(path, self._encrypt, self._decrypt)

    def _vault(self) -> VaultLib:
        # The loader got the passwords of --vault-id and ANSIBLE_VAULT_PASSWORD_FILE at start-up; Ansible
        # has no public way to ask for them.
        return self._loader._vault

    def _encrypt(self, plain: bytes) -> bytes:
        vault = self._vault()
        return bytes(vault.encrypt(plain)) if vault.secrets else plain

    def _decrypt(self, path: Path) -> bytes:
        content = path.read_bytes()
        vault = self._vault()
        if not vault.is_encrypted(content):
            return content
        if not vault.secrets:
            raise AnsibleError(
                f"{path} is encrypted with ansible-vault and no vault password is configured. Next: give "
                "--vault-id or set ANSIBLE_VAULT_PASSWORD_FILE."
            )
        return bytes(vault.decrypt(content))
