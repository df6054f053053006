"""Where the sandbox keeps things: all of it in one directory of the project that git ignores."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
STATE = PROJECT / ".sandbox"
CACHE = STATE / "cache"
DEPLOY = PROJECT / "deploy"
