"""What arrives on a telephone: the shipped templates, rendered by a real Alertmanager."""

from pathlib import Path

from alerts.catalogue import Catalogue
from tests.alerts.notifications import GOLDEN, play


def test_the_texts_are_those_of_the_golden_file(found: Catalogue, tmp_path: Path) -> None:
    assert play(tmp_path, found) == GOLDEN.read_text(encoding="utf-8")
