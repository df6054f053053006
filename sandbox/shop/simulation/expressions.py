"""Cron expressions, as far as Magento's own jobs use them: numbers, lists, `*` and `*/n`."""

from datetime import datetime


def matches(expression: str, moment: datetime) -> bool:
    """Tell whether a five-field expression names the minute. Sunday is 0."""
    minute, hour, day, month, weekday = expression.split()
    values = (moment.minute, moment.hour, moment.day, moment.month, (moment.weekday() + 1) % 7)
    return all(
        _field(field, value) for field, value in zip((minute, hour, day, month, weekday), values, strict=True)
    )


def _field(field: str, value: int) -> bool:
    return any(
        part == "*" or (part.startswith("*/") and value % int(part[2:]) == 0) or part == str(value)
        for part in field.split(",")
    )
