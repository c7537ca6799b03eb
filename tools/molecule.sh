#!/usr/bin/env bash
# Runs the molecule scenarios named on the command line, one after the other, and says which failed.
set -uo pipefail
failed=()
for role in "$@"; do
  printf '\033[1m== molecule: %s\033[0m\n' "$role"
  started=$SECONDS
  # A folder for each: molecule keeps one state a folder, and scenarios would read each other's.
  export MOLECULE_EPHEMERAL_DIRECTORY="$PWD/.cache/molecule/$role"
  molecule -c .config/molecule/config.yml test --scenario-name "$role" || failed+=("$role")
  printf '== molecule: %s took %d s\n' "$role" $((SECONDS - started))
done
if ((${#failed[@]})); then
  echo "Failed: ${failed[*]}. One alone: make molecule ROLE=${failed[0]}" >&2
  exit 1
fi
