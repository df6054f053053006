"""The programs beside the catalogue: the mutation check, the simulation, the example of own limits."""

import subprocess
from pathlib import Path

import yaml

from alerts.__main__ import ROOT
from alerts.catalogue import Catalogue
from alerts.lib.links import DEMO
from alerts.lib.prometheus import alerting_rule
from tests.alerts.loading import script

EXAMPLE = ROOT / "deploy" / "prometheus" / "thresholds.yml.example"


def test_the_mutation_check_kills_a_mutant_and_spares_the_original(found: Catalogue) -> None:
    check = script("mutate_alerts")
    alert = next(alert for alert in found.all if alert.name == "MagentoCronStopped")
    mutants = {mutant.what: mutant for mutant in check.mutants(alert, found)}
    assert {
        "comparison turned round",
        "limit doubled",
        "limit halved",
        "for dropped",
        "keep_firing_for dropped",
        "maintenance ignored",
        "own threshold ignored",
        "job dropped from on no. 1",
    } <= set(mutants)
    original = check.Mutant(
        alert.name, "nothing", alerting_rule(alert, owners=found.owners, links=DEMO), [alert]
    )
    assert check.survives(original, found)
    assert not check.survives(mutants["limit doubled"], found)
    assert not check.survives(mutants["limit halved"], found)
    assert not check.survives(mutants["for dropped"], found)


def test_the_mutation_check_breaks_the_rules_that_alerts_stand_on(found: Catalogue) -> None:
    check = script("mutate_alerts")
    low = next(alert for alert in found.all if alert.name == "MagentoOrdersLow")
    mutants = {(mutant.name, mutant.what): mutant for mutant in check.recording_mutants([low], found)}
    due = "magento:orders_due:count"
    turned = mutants[due, "< turned round no. 1"]
    assert low in turned.judges
    assert "> magento:orders_by_carts:count" in str(turned.rule["expr"])
    assert not check.survives(turned, found)


def test_every_survivor_with_a_reason_is_a_mutant(found: Catalogue) -> None:
    check = script("mutate_alerts")
    made = [*check.recording_mutants(found.all, found)]
    made += [mutant for alert in found.all for mutant in check.mutants(alert, found)]
    assert set(check.EXPECTED) <= {(mutant.name, mutant.what) for mutant in made}


def test_the_example_of_own_limits_is_valid_and_names_alerts_and_labels_that_exist(
    found: Catalogue, tmp_path: Path
) -> None:
    copy = tmp_path / "thresholds.yml"
    copy.write_text(EXAMPLE.read_text())
    checked = subprocess.run(
        ["promtool", "check", "rules", str(copy)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    scopes = {alert.name: alert.scope for alert in found.all}
    for rule in yaml.safe_load(copy.read_text())["groups"][0]["rules"]:
        scope = scopes[rule["labels"]["alert"]]
        assert scope is not None
        assert scope in rule["labels"] or f"by (job, {scope})" in rule["expr"]
