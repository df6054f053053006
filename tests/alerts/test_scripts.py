"""The programs beside the catalogue: the mutation check, the simulation, the example of own limits."""

import subprocess
from pathlib import Path

import pytest
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
    surprise = "magento:orders_surprise:nats"
    dropped = mutants[surprise, "dropped: and magento_orders_recent < magento_orders_expected"]
    assert low in dropped.judges
    assert "orders_recent <" not in str(dropped.rule["expr"])
    assert (surprise, "< turned round no. 1") in mutants
    assert not check.survives(mutants[surprise, "> turned round no. 1"], found)


def test_every_survivor_with_a_reason_is_a_mutant(found: Catalogue) -> None:
    check = script("mutate_alerts")
    made = [*check.recording_mutants(found.all, found)]
    made += [mutant for alert in found.all for mutant in check.mutants(alert, found)]
    assert set(check.EXPECTED) <= {(mutant.name, mutant.what) for mutant in made}


def test_the_simulation_computes_surprise_as_the_rule_does() -> None:
    simulation = script("simulate_drought")
    assert simulation.surprise(0, 12) == pytest.approx(12)
    assert simulation.surprise(2, 18) == pytest.approx(11.605, abs=0.001)


def test_the_simulation_can_be_repeated_and_notices_a_stop() -> None:
    simulation = script("simulate_drought")
    random = simulation.Random("test")
    steps = simulation.orders(600, simulation.BASELINE_WEEKS + 2, random)
    assert steps == simulation.orders(600, simulation.BASELINE_WEEKS + 2, simulation.Random("test"))
    assert sum(steps) / (simulation.BASELINE_WEEKS + 2) / 7 == pytest.approx(600, rel=0.2)
    noon = (simulation.BASELINE_WEEKS + 1) * simulation.WEEK + 12 * simulation.HOUR
    dead = [*steps[:noon], *([0] * simulation.DAY)]
    now, held = simulation.History.of(dead), dict[str, int]()
    found = [
        simulation.fires(now, now, at, held, noon - 1)["MagentoOrderDrought*"]
        for at in range(noon, noon + 12)
    ]
    assert not found[0]
    assert found[-1]


def test_the_table_in_the_documentation_has_every_size() -> None:
    text = (ROOT / "docs" / "alerts.md").read_text()
    table = text.partition("<!-- simulated: begin -->")[2].partition("<!-- simulated: end -->")[0]
    assert [f"| {size:,} |" in table for size in script("simulate_drought").SIZES] == [True] * 5


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
