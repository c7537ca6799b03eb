"""Say where the deployed lab is and what to try next: `python -m tools.where`."""

from __future__ import annotations

import os

from lab import Lab


def main() -> None:
    """Print addresses, ready commands and a fault to try."""
    env = Lab().env()
    name, edges, ca = env["public_names"][0], env["edges"], os.path.relpath(env["ca_file"])
    curl = f"curl --cacert {ca} --resolve {name}:443:{edges[0]}"
    person = '{"email": "you@example.org", "password": "a long pass phrase", "name": "You"}'
    print(
        f"""
The platform is up.
  edges      {", ".join(edges)}  (https://{name}/)
  browser    echo '{edges[0]} {name}' >> /etc/hosts, let the browser trust {ca},
             open https://{name}/ (the operations: https://{name}/api/docs)
  list       {curl} 'https://{name}/products/?size=2'
  register   {curl} -H 'Content-Type: application/json' \\
               -d '{person}' https://{name}/users/register
  services   ansible-playbook playbooks/service.yml -e service=orders -e verb=ps
  a host     ./lab/lab ssh msk-data1
Break something, and place an order meanwhile:
  ./lab/lab kill msk-data1      # the database's host loses its power; ./lab/lab boot msk-data1 brings it back
  ./lab/lab cut msk             # a datacenter is cut off; ./lab/lab heal
Next: make test, docs/, ./lab/lab status; `make lab-down` stops everything.
"""
    )


if __name__ == "__main__":
    main()
