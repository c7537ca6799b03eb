"""Make the guard importable as it is on its host, and its tests' own modules by name."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
for folder in (HERE, HERE.parents[2] / "roles" / "postgres" / "files"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
