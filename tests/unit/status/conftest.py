"""The collection's own import path, as Ansible sees it."""

import sys
from pathlib import Path

FOLDER = str(Path(__file__).resolve().parents[3] / "collections")
if FOLDER not in sys.path:
    sys.path.insert(0, FOLDER)
