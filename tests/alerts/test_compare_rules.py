"""The comparison of two revisions' rules: what counts as a difference, and what does not."""

from pathlib import Path

import pytest
import yaml

from tests.alerts.loading import script

compare = script("compare_rules")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a - b > 2", "(a - b)\n  > 2"),
        ("sum by (job, store) (a)", "sum by (store, job) (a)"),
        ('a{b="c", d="e"}', 'a{d="e", b="c"}'),
        ("rate(a[$__rate_interval])", "rate((a[$__rate_interval]))"),
    ],
)
def test_brackets_line_breaks_and_the_order_of_labels_do_not_count(one: str, other: str) -> None:
    assert compare.parsed(one) == compare.parsed(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a - b - c", "a - (b - c)"),
        ("a > 2", "a > bool 2"),
        ("a > 2", "a >= 2"),
        ("sum by (job) (a)", "sum without (job) (a)"),
        ("sum by (job) (a)", "max by (job) (a)"),
        ("topk(3, a)", "topk(4, a)"),
        ("a and on (job) b", "a and on (job, store) b"),
        ("a and on (job) b", "a unless on (job) b"),
        ("a * on (job) b", "a * on (job) group_left () b"),
        ("a * on (job) group_left () b", "a * on (job) group_left (x) b"),
        ('a{b="c"}', 'a{b=~"c"}'),
        ("a", "a offset 1h"),
        ("rate(a[$__rate_interval])", "rate(a[$__interval])"),
        ("rate(a[5m])", "rate(a[6m])"),
        ("max_over_time(a[1h:5m])", "max_over_time(a[1h:1m])"),
        ("max_over_time(a[1h:5m] @ end())", "max_over_time(a[1h:5m])"),
        ("a or vector(1)", "a or vector(2)"),
        ('label_replace(a, "b", "c", "", "")', 'label_replace(a, "b", "d", "", "")'),
    ],
)
def test_everything_else_counts(one: str, other: str) -> None:
    assert compare.parsed(one) != compare.parsed(other)


def test_a_label_can_be_left_out_of_account() -> None:
    one = 'sum by (job) (a{b="c"}) * on (job) group_left () b'
    other = 'sum by (job, shop) (a{b="c", shop=~"$shop"}) * on (job, shop) group_left () b'
    shop = frozenset({"shop"})
    assert compare.parsed(one) != compare.parsed(other)
    assert compare.parsed(one, shop) == compare.parsed(other, shop)
    assert compare.parsed(one, shop) != compare.parsed(other.replace("job, shop", "shop"), shop)


def test_what_differs_is_named_and_what_does_not_is_counted() -> None:
    def read(**rules: str) -> object:
        document = {"groups": [{"rules": [{"alert": name, "expr": expr} for name, expr in rules.items()]}]}
        files = {compare.RULES: {"x.yml": yaml.safe_dump(document)}}
        return lambda pattern: files.get(pattern, {})

    found, common = compare.differences(
        read(A="a > 1", B="b", C="c"), read(A="(a > 1)", B="b + 1", D="d"), frozenset()
    )
    assert found == ["different: x.yml B", "gone: x.yml C", "new: x.yml D"]
    assert common == 2


def test_every_expression_of_the_pack_is_read() -> None:
    found = dict(compare.expressions(compare.working_tree))
    kinds = {name.split()[0] for name in found}
    assert {"selling.yml", "grafana", "magento-overview"} <= kinds
    pages = len(list(Path(compare.ROOT).glob(compare.DASHBOARDS)))
    assert sum(name.endswith(" $job") for name in found) == pages
    assert sum("mark" in name for name in found) >= pages
    assert all(compare.parsed(text) for text in found.values())
    assert len(list(compare.label_lists(compare.working_tree))) > 10
