"""The tree of a PromQL expression: what it consists of, and which labels its result has.

The operators and methods of :class:`Expr` and the functions of :mod:`promql.expr` check what they
join. The nodes themselves do not, so that a mutant can be a tree that is wrong.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final, overload

from exporter.core.metrics import Kind
from exporter.errors import SpecError
from promql.durations import Duration, Span, span
from promql.labels import Labels, Matching, check, joined

_KEEPS_LABELS: Final = ("topk", "bottomk")
_WITHOUT_LABELS: Final = ("absent", "vector")


@dataclass(frozen=True)
class Expr(ABC):
    """An expression. Arithmetic and comparisons use Python's operators; the rest are methods."""

    inside: ClassVar[tuple[str, ...]] = ()
    """The fields that are expressions themselves, from left to right."""

    @property
    @abstractmethod
    def labels(self) -> Labels:
        """The labels that the result may carry; ``None`` for a scalar."""

    @property
    def parts(self) -> tuple[Expr, ...]:
        """The expressions that this one is made of, from left to right."""
        return tuple(getattr(self, name) for name in self.inside)

    def with_parts(self, parts: Sequence[Expr], /) -> Expr:
        """Return the same expression of other parts."""
        return replace(self, **dict(zip(self.inside, parts, strict=True)))

    def walk(self) -> Iterator[Expr]:
        """Yield this expression and every one inside it, from left to right."""
        yield self
        for part in self.parts:
            yield from part.walk()

    def map(self, change: Callable[[Expr], Expr]) -> Expr:
        """Return the tree in which every node, the innermost first, is what ``change`` makes of it."""
        return change(self.with_parts([part.map(change) for part in self.parts]))

    def metrics(self) -> Iterator[str]:
        """Yield the names of the series that are selected, from left to right."""
        yield from (node.metric for node in self.walk() if isinstance(node, Selector))

    def __add__(self, other: Expr | float) -> Expr:
        return join(self, "+", other)

    def __sub__(self, other: Expr | float) -> Expr:
        return join(self, "-", other)

    def __mul__(self, other: Expr | float) -> Expr:
        return join(self, "*", other)

    def __truediv__(self, other: Expr | float) -> Expr:
        return join(self, "/", other)

    def __mod__(self, other: Expr | float) -> Expr:
        return join(self, "%", other)

    def __radd__(self, other: float) -> Expr:
        return join(Number(other), "+", self)

    def __rsub__(self, other: float) -> Expr:
        return join(Number(other), "-", self)

    def __rmul__(self, other: float) -> Expr:
        return join(Number(other), "*", self)

    def __rtruediv__(self, other: float) -> Expr:
        return join(Number(other), "/", self)

    def __gt__(self, other: Expr | float) -> Expr:
        return join(self, ">", other)

    def __ge__(self, other: Expr | float) -> Expr:
        return join(self, ">=", other)

    def __lt__(self, other: Expr | float) -> Expr:
        return join(self, "<", other)

    def __le__(self, other: Expr | float) -> Expr:
        return join(self, "<=", other)

    def equals(self, other: Expr | float) -> Expr:
        """Keep the series whose value equals ``other``."""
        return join(self, "==", other)

    def truth(self, comparison: str, other: Expr | float) -> Expr:
        """Compare and answer 1 or 0 (``bool``), keeping every series."""
        return replace(join(self, comparison, other), returns_bool=True)

    def join(
        self,
        operator: str,
        other: Expr,
        *,
        on: Iterable[str],
        group_left: Iterable[str] | None = None,
    ) -> Expr:
        """Combine with ``other`` where the labels ``on`` agree.

        ``group_left`` (many on this side, one on the other) names labels to copy
        from the other side; an empty one copies none.
        """
        copied = None if group_left is None else tuple(group_left)
        return join(self, operator, other, Matching(tuple(on), copied))

    def only_if(self, other: Expr, *, on: Iterable[str] | None = None) -> Expr:
        """Keep the series that have a partner in ``other`` (``and``)."""
        return join(self, "and", other, None if on is None else Matching(tuple(on)))

    def unless(self, other: Expr, *, on: Iterable[str] | None = None) -> Expr:
        """Drop the series that have a partner in ``other``."""
        return join(self, "unless", other, None if on is None else Matching(tuple(on)))

    def or_else(self, other: Expr, *, on: Iterable[str] | None = None) -> Expr:
        """Add the series of ``other`` that have no partner here (``or``)."""
        return join(self, "or", other, None if on is None else Matching(tuple(on)))

    def __getitem__(self, given: slice) -> Subquery:
        """Return the range of a subquery: ``expr["30d":"1h"]``."""
        if not isinstance(given, slice):
            raise SpecError("only a selector has a range without a step")
        return Subquery(self, span(given.start), span(given.stop))


class Scalar(Expr):
    """What has no labels: a number or a text."""

    @property
    def labels(self) -> None:
        """None at all."""
        return


@dataclass(frozen=True)
class Number(Scalar):
    """A scalar."""

    value: float


@dataclass(frozen=True)
class Seconds(Scalar):
    """A duration as the number of its seconds, which a game day's clock shrinks."""

    duration: Duration


@dataclass(frozen=True)
class Text(Scalar):
    """A text, the argument of a function."""

    value: str


@dataclass(frozen=True, slots=True)
class Matcher:
    """What a label must be."""

    label: str
    operator: str
    value: str


@dataclass(frozen=True)
class Selector(Expr):
    """The series of one name, now or ``offset`` ago. ``has`` are the labels that they carry."""

    metric: str
    kind: Kind
    has: frozenset[str]
    matchers: tuple[Matcher, ...] = ()
    offset: Span | None = None

    @property
    def labels(self) -> frozenset[str]:
        """The labels of the series."""
        return self.has

    def before(self, offset: str | Span) -> Selector:
        """Return the same series as they were ``offset`` ago."""
        return replace(self, offset=span(offset))

    @overload
    def __getitem__(self, given: slice) -> Subquery: ...

    @overload
    def __getitem__(self, given: str | Span) -> Range: ...

    def __getitem__(self, given: str | Span | slice) -> Window:
        """Return the samples of a time (``series["5m"]``), or of a subquery (``series["1d":"5m"]``)."""
        if isinstance(given, slice):
            return super().__getitem__(given)
        return Range(self, span(given))


class Window(Expr):
    """A range vector: the samples of a time."""

    @property
    @abstractmethod
    def labels(self) -> frozenset[str]:
        """The labels of the series."""

    @property
    @abstractmethod
    def kind(self) -> Kind | None:
        """What the series are; ``None`` where a subquery computed them."""

    @abstractmethod
    def at_end(self) -> Window:
        """Return the range as it is at the end of what is shown, the same at each of its steps."""


@dataclass(frozen=True)
class Range(Window):
    """The samples of a selector within a span."""

    inside: ClassVar[tuple[str, ...]] = ("selector",)

    selector: Selector
    span: Span
    ends: bool = False

    @property
    def labels(self) -> frozenset[str]:
        """The labels of the series."""
        return self.selector.labels

    @property
    def kind(self) -> Kind:
        """What the series are."""
        return self.selector.kind

    def at_end(self) -> Range:
        """Return the range at the end of what is shown."""
        return replace(self, ends=True)


@dataclass(frozen=True)
class Subquery(Window):
    """What an expression was at every step within a span."""

    inside: ClassVar[tuple[str, ...]] = ("inner",)

    inner: Expr
    span: Span
    step: Span
    offset: Span | None = None
    ends: bool = False

    @property
    def labels(self) -> frozenset[str]:
        """The labels of the expression."""
        return self.inner.labels or frozenset()

    @property
    def kind(self) -> None:
        """What was computed may be anything."""
        return

    def before(self, offset: str | Span) -> Subquery:
        """Return the subquery that ends ``offset`` ago."""
        return replace(self, offset=span(offset))

    def at_end(self) -> Subquery:
        """Return the subquery at the end of what is shown."""
        return replace(self, ends=True)


@dataclass(frozen=True)
class Binary(Expr):
    """Two expressions and the operator between them."""

    inside: ClassVar[tuple[str, ...]] = ("left", "right")

    operator: str
    left: Expr
    right: Expr
    matching: Matching | None = None
    returns_bool: bool = False

    @property
    def labels(self) -> Labels:
        """The labels that the operator leaves."""
        return joined(self.operator, self.left.labels, self.right.labels, self.matching)


@dataclass(frozen=True)
class Aggregation(Expr):
    """An aggregation ``by`` labels; ``parameter`` is the number of ``topk``."""

    inside: ClassVar[tuple[str, ...]] = ("inner",)

    operator: str
    inner: Expr
    by: tuple[str, ...] = ()
    parameter: Expr | None = None

    @property
    def labels(self) -> Labels:
        """The labels that are kept."""
        return self.inner.labels if self.operator in _KEEPS_LABELS else frozenset(self.by)


@dataclass(frozen=True)
class Call(Expr):
    """A function and its arguments."""

    function: str
    arguments: tuple[Expr, ...] = ()

    @property
    def labels(self) -> Labels:
        """The labels of the first argument, and the one that ``label_replace`` sets."""
        if self.function in _WITHOUT_LABELS:
            return frozenset()
        if not self.arguments:
            return None
        labels = self.arguments[0].labels
        if self.function == "label_replace" and isinstance(self.arguments[1], Text):
            return (labels or frozenset()) | {self.arguments[1].value}
        return labels

    @property
    def parts(self) -> tuple[Expr, ...]:
        """The arguments."""
        return self.arguments

    def with_parts(self, parts: Sequence[Expr], /) -> Expr:
        """Return the function of other arguments."""
        return replace(self, arguments=tuple(parts))


def join(left: Expr, operator: str, other: Expr | float, matching: Matching | None = None) -> Binary:
    """Put an operator between two expressions; raise :exc:`SpecError` if their labels do not allow it."""
    right = other if isinstance(other, Expr) else Number(other)
    if isinstance(left, Window | Text) or isinstance(right, Window | Text):
        raise SpecError(f"{operator}: a range or a text is no operand")
    check(operator, left.labels, right.labels, matching)
    return Binary(operator, left, right, matching)
