"""Which versions of the servers are supported with which line of Magento."""

import pytest

from exporter.magento.releases import SUPPORTED_UNTIL
from exporter.magento.support import SUPPORTED, is_supported, numbers


@pytest.mark.parametrize(
    ("version", "found"),
    [
        ("10.11.6-MariaDB-0+deb12u1", "10.11"),
        ("8.4.3", "8.4"),
        ("8.0.35-27", "8.0"),
        ("8.3.14-1+0~20241", "8.3"),
        ("7", "7"),
        ("of no version", ""),
    ],
)
def test_only_the_numbers_are_shown(version: str, found: str) -> None:
    assert numbers(version) == found


@pytest.mark.parametrize(
    ("product", "service", "version", "supported"),
    [
        (("community", "2.4.8-p5"), "mariadb", "11.4.5", "yes"),
        (("enterprise", "2.4.8"), "mariadb", "11.4", "yes"),
        (("community", "2.4.8"), "mariadb", "11.40.1", "no"),
        (("community", "2.4.8"), "mariadb", "10.6.20", "no"),
        (("community", "2.4.9"), "redis", "7.2.4", "no"),
        (("community", "2.4.9"), "opensearch", "3.1.0", "yes"),
        (("community", "2.4.9"), "opensearch", "30.1.0", "no"),
        (("community", "2.4.3"), "mariadb", "10.4.1", "unknown"),
        (("community", "2.4.8"), "memcached", "1.6.1", "unknown"),
        (("community", "2.4.8"), "mariadb", "", "unknown"),
        (("mage-os", "2.4.8"), "mariadb", "10.6", "unknown"),
        (("", ""), "mariadb", "11.4", "unknown"),
    ],
)
def test_a_version_is_supported_by_its_beginning(
    product: tuple[str, str], service: str, version: str, supported: str
) -> None:
    assert is_supported(product, service, version) == supported


def test_every_line_knows_the_same_services() -> None:
    assert len({frozenset(services) for services in SUPPORTED.values()}) == 1
    assert set(SUPPORTED) <= set(SUPPORTED_UNTIL)
