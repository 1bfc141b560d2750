"""What has been solved on this device. Nothing here may break a check: what cannot be read or written is left alone."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path


def place() -> Path:
    """The file: in $CROSSENTROPY_HOME, or where this system keeps a program's data."""
    if home := os.environ.get("CROSSENTROPY_HOME"):
        return Path(home) / "progress.json"
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "crossentropy" / "progress.json"


def recall() -> dict[str, bool]:
    """For each exercise that was tried whether it was solved; empty where nothing can be read."""
    try:
        stored = json.loads(place().read_text(encoding="utf8"))
    except (OSError, ValueError, RuntimeError):
        return {}
    if not isinstance(stored, Mapping):
        return {}
    return {name: solved for name, solved in stored.items() if isinstance(name, str) and isinstance(solved, bool)}


def note(name: str, passed: bool) -> None:
    """Remember that an exercise was tried; once solved, it stays solved."""
    known = recall()
    known[name] = passed or known.get(name, False)
    try:
        path = place()
        path.parent.mkdir(parents=True, exist_ok=True)
        # Beside it first: a kernel that dies while it writes must not take the old file with it.
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf8")
        draft.replace(path)
    except (OSError, RuntimeError):
        pass
