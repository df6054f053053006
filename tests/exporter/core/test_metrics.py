from decimal import Decimal

import pytest

from exporter.core.metrics import Kind, Metric, Sample, counter, gauge, having, summary
from exporter.errors import SpecError

STATE = gauge("magento_indexer_state", "State of the indexer.", "indexer", "state")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("cron_lag_seconds", Kind.GAUGE),
        ("magento_", Kind.GAUGE),
        ("magento_Cron", Kind.GAUGE),
        ("magento_cron__lag", Kind.GAUGE),
        ("magento_cron_", Kind.GAUGE),
        ("magento_cron-lag", Kind.GAUGE),
        ("magento_lag\n", Kind.GAUGE),
        ("magento_jobs_total", Kind.GAUGE),
        ("magento_jobs_count", Kind.GAUGE),
        ("magento_jobs_sum", Kind.SUMMARY),
        ("magento_jobs_bucket", Kind.SUMMARY),
        ("magento_jobs_total", Kind.SUMMARY),
        ("magento_jobs", Kind.COUNTER),
    ],
)
def test_a_name_that_breaks_the_conventions_is_refused(name: str, kind: Kind) -> None:
    with pytest.raises(SpecError):
        Metric(name, kind, "Something.")


@pytest.mark.parametrize("text", ["", "  ", "two\nlines"])
def test_help_is_one_line(text: str) -> None:
    with pytest.raises(SpecError, match="help"):
        gauge("magento_x", text)


@pytest.mark.parametrize("label", ["", "__name__", "Store", "1st", "job-code", "störe", "store\n"])
def test_a_label_that_prometheus_or_the_house_refuses(label: str) -> None:
    with pytest.raises(SpecError, match="label"):
        gauge("magento_x", "X.", label)


def test_a_label_declared_twice_is_refused() -> None:
    with pytest.raises(SpecError, match="twice"):
        gauge("magento_x", "X.", "store", "store")


def test_label_values_come_in_declared_order() -> None:
    assert STATE.sample(1, state="valid", indexer="price") == Sample(STATE, ("price", "valid"), 1.0)


@pytest.mark.parametrize(
    "labels",
    [{}, {"indexer": "a"}, {"indexer": "a", "state": "b", "store": "c"}, {"indexer": "a", "stat": "b"}],
)
def test_labels_other_than_the_declared_ones_are_refused(labels: dict[str, str]) -> None:
    with pytest.raises(SpecError, match="has labels"):
        STATE.sample(1, **labels)


def test_decimals_become_floats() -> None:
    value = gauge("magento_x", "X.").sample(Decimal("12.30")).value
    assert value == 12.3
    assert isinstance(value, float)


def test_a_summary_yields_a_sum_and_a_count_and_no_plain_sample() -> None:
    duration = summary("magento_run_seconds", "Time.", "job")
    assert list(duration.summary(total=2.5, count=2, job="a")) == [
        Sample(duration, ("a",), 2.5, "_sum"),
        Sample(duration, ("a",), 2.0, "_count"),
    ]
    with pytest.raises(SpecError):
        duration.sample(1, job="a")
    with pytest.raises(SpecError):
        list(STATE.summary(total=1, count=1, indexer="a", state="b"))


def test_exactly_one_state_of_a_set_is_1_even_an_unknown_one() -> None:
    for current in ("valid", "invalid", "suspended"):
        samples = list(STATE.state_set("state", ("valid", "invalid"), current, indexer="price"))
        assert [s.labels[1] for s in samples if s.value == 1] == [current]
        assert {"valid", "invalid"} <= {s.labels[1] for s in samples}
        assert all(s.value in (0.0, 1.0) for s in samples)


def test_only_a_counters_family_differs_from_its_name() -> None:
    assert counter("magento_orders_total", "Orders.").family == "magento_orders"
    assert gauge("magento_orders", "Orders.").family == "magento_orders"


def test_a_label_of_a_sample_is_found_by_its_name() -> None:
    sample = STATE.sample(1, indexer="catalog", state="valid")
    assert (sample.label("indexer"), sample.label("state")) == ("catalog", "valid")


def test_samples_of_what_is_gone_are_left_out() -> None:
    both = [STATE.sample(1, indexer=name, state="valid") for name in ("kept", "gone")]
    assert list(having(both, "indexer", {"kept", "new"})) == both[:1]
