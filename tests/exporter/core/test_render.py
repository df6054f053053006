import gzip
import math
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.core.metrics import Sample, counter, gauge, summary
from exporter.core.render import OPENMETRICS_END, Format, compress, join, render
from exporter.errors import SpecError

ORDERS = counter("magento_orders_placed_total", 'Orders "placed", by store \\ method.', "store", "method")
LAG = gauge("magento_cron_lag_seconds", "Lag.")
INFO = gauge("magento_exporter_build_info", "Build.", "version")
DURATION = summary("magento_cron_job_duration_seconds", "Duration.", "job_code")
QUEUE = gauge("magento_queue_messages", "Messages.", "queue", "broker")

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def exposition(samples: Iterable[Sample], wanted: Format = Format.TEXT, limit: int = 10_000) -> str:
    return join([render(samples, limit=limit)], wanted).decode()


def parsed(samples: Iterable[Sample], wanted: Format) -> Series:
    text = exposition(samples, wanted)
    if wanted is Format.OPENMETRICS:
        families = parse_openmetrics(text + OPENMETRICS_END.decode())  # type: ignore[no-untyped-call]
    else:
        families = parse_text(text)
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def expected(samples: Iterable[Sample]) -> Series:
    return {
        (s.metric.name + s.suffix, tuple(sorted(zip(s.metric.labels, s.labels, strict=True)))): s.value
        for s in samples
    }


def same(left: Series, right: Series) -> bool:
    def equal(a: float, b: float) -> bool:
        return a == b or (math.isnan(a) and math.isnan(b))

    return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)


# Prometheus' text parser in Python takes a line to end at \r as well; the formats and Prometheus do not.
label_values = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=12)
amounts = st.floats(min_value=0, allow_infinity=False)


@st.composite
def pages(draw: st.DrawFn) -> list[Sample]:
    orders = draw(st.dictionaries(st.tuples(label_values, label_values), amounts, max_size=6))
    lag = draw(st.none() | st.floats())
    jobs = draw(st.dictionaries(label_values, st.tuples(amounts, st.integers(0, 2**40)), max_size=4))
    samples = [ORDERS.sample(value, store=s, method=m) for (s, m), value in orders.items()]
    if lag is not None:
        samples.append(LAG.sample(lag))
    samples.append(INFO.sample(1, version="1.0"))
    for code, (total, count) in jobs.items():
        samples.extend(DURATION.summary(total=total, count=count, job_code=code))
    return draw(st.permutations(samples))


@given(pages())
@pytest.mark.parametrize("wanted", list(Format))
def test_both_parsers_read_back_what_was_written(wanted: Format, samples: list[Sample]) -> None:
    assert same(parsed(samples, wanted), expected(samples))


@given(pages(), st.randoms())
def test_the_order_of_the_samples_does_not_matter(samples: list[Sample], random: object) -> None:
    shuffled = list(samples)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert exposition(shuffled) == exposition(samples)


@given(pages(), st.integers(0, 12))
def test_the_cap_keeps_what_sorts_first_and_counts_the_rest(samples: list[Sample], limit: int) -> None:
    whole = render(samples, limit=10_000)
    capped = render(samples, limit=limit)
    assert capped.series == min(limit, len(samples))
    assert capped.series + capped.dropped == len(samples) == whole.series
    assert whole.dropped == 0
    for name, body in capped.bodies.items():
        assert whole.bodies[name].startswith(body)


def test_the_two_headers_differ_where_the_formats_do() -> None:
    samples = [ORDERS.sample(3, store="de", method="checkmo")]
    assert exposition(samples) == (
        '# HELP magento_orders_placed_total Orders "placed", by store \\\\ method.\n'
        "# TYPE magento_orders_placed_total counter\n"
        'magento_orders_placed_total{store="de",method="checkmo"} 3.0\n'
    )
    assert exposition(samples, Format.OPENMETRICS) == (
        '# HELP magento_orders_placed Orders \\"placed\\", by store \\\\ method.\n'
        "# TYPE magento_orders_placed counter\n"
        'magento_orders_placed_total{store="de",method="checkmo"} 3.0\n'
    )


def test_labels_are_escaped() -> None:
    line = exposition([QUEUE.sample(1, queue='a"b\\c\nd', broker="x")]).splitlines()[-1]
    assert line == 'magento_queue_messages{queue="a\\"b\\\\c\\nd",broker="x"} 1.0'


@pytest.mark.parametrize(
    ("value", "text"),
    [(math.inf, "+Inf"), (-math.inf, "-Inf"), (math.nan, "NaN"), (1e16, "1e+16"), (0.1, "0.1")],
)
def test_numbers_are_written_as_both_formats_want_them(value: float, text: str) -> None:
    assert exposition([LAG.sample(value)]).splitlines()[-1] == f"magento_cron_lag_seconds {text}"


def test_half_a_surrogate_pair_in_a_label_does_not_break_the_page() -> None:
    assert 'queue="?"' in exposition([QUEUE.sample(1, queue="\ud800", broker="x")])


def test_a_series_that_appears_twice_is_the_collectors_mistake() -> None:
    with pytest.raises(SpecError, match="twice"):
        render([LAG.sample(1), LAG.sample(2)], limit=10)


def test_a_family_that_two_collectors_feed_is_one_block_under_one_header() -> None:
    db = render([QUEUE.sample(1, queue="export", broker="db"), LAG.sample(0)], limit=10)
    amqp = render([QUEUE.sample(2, queue="export", broker="amqp")], limit=10)
    text = join([db, amqp], Format.TEXT).decode()
    lines = text.splitlines()
    assert text.count("# TYPE magento_queue_messages gauge") == 1
    block = [n for n, line in enumerate(lines) if line.startswith("magento_queue_messages")]
    assert block == [block[0], block[0] + 1]
    assert [line.split()[2] for line in lines if line.startswith("# TYPE")] == sorted(
        ["magento_cron_lag_seconds", "magento_queue_messages"]
    )


def test_gzip_has_no_time_stamp_and_unpacks_to_the_same() -> None:
    body = exposition([LAG.sample(1)]).encode()
    assert compress(body) == compress(body)
    assert gzip.decompress(compress(body)) == body


def test_no_sample_no_line() -> None:
    assert join([render([], limit=5)], Format.TEXT) == b""


def test_every_metric_of_a_page_is_known() -> None:
    assert render([LAG.sample(1)], limit=1).metrics == {LAG.name: LAG}
