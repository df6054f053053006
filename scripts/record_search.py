"""Record what a search engine answers to the exporter, for the tests of its source.

It makes Magento's indexes on an engine that is there for nothing else, and removes them again.

    python -m scripts.record_search http://127.0.0.1:9200 opensearch-2.19
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import httpx

OUT: Final = Path(__file__).resolve().parents[1] / "tests" / "exporter" / "sources" / "search_recorded"
FAMILY: Final = "magento2_product_*"
ASKED: Final = {
    "/_alias": f"/{FAMILY}/_alias",
    "/_settings/": f"/{FAMILY}/_settings/index.blocks.*?flat_settings=true",
    "/_cat/": f"/_cat/indices/{FAMILY}?format=json&bytes=b&h=index,health,docs.count,store.size",
}


def main() -> None:
    """Make two stores' indexes, one of them read-only and one left over, and write the answers."""
    address, name = sys.argv[1:]

    def api(method: str, path: str, body: object = None) -> Any:
        answer = httpx.request(method, address + path, json=body, timeout=60, trust_env=False)
        answer.raise_for_status()
        return answer.json()

    one_node = {"settings": {"number_of_replicas": 0}}
    for index in ("1_v1", "1_v2", "2_v1"):
        api("PUT", f"/magento2_product_{index}", one_node)
    for index, store in (("1_v2", "1"), ("2_v1", "2")):
        alias = {"index": f"magento2_product_{index}", "alias": f"magento2_product_{store}"}
        api("POST", "/_aliases", {"actions": [{"add": alias}]})
    for number in range(5):
        api("PUT", f"/magento2_product_1_v2/_doc/{number}?refresh=true", {"sku": f"p{number}"})
    api("PUT", "/magento2_product_2_v1/_settings", {"index.blocks.read_only_allow_delete": True})
    answers = {part: api("GET", path) for part, path in ASKED.items()}
    api("DELETE", "/magento2_product_1_v1,magento2_product_1_v2,magento2_product_2_v1")
    OUT.mkdir(exist_ok=True)
    (OUT / f"{name}.json").write_text(json.dumps(answers, indent=1) + "\n")


if __name__ == "__main__":
    main()
