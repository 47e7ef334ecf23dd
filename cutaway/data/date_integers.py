"""Integers like 20110131: whether all of a column are days."""

YEARS = (1900, 2100)
LEAST_DAYS, LEAST_MONTHS = 20, 3  # different ones: a counter from 20110101 on stays in a month
DAYS_REASON = "all its integers are days"


def are_days(series) -> bool:
    """Whether the integers of a column are days as yyyymmdd, enough of them in different months.

    Args:
        series: a polars Series of integers.

    Example:
        >>> import polars as pl
        >>> from cutaway.data.date_integers import are_days
        >>> days = pl.Series([year * 10_000 + 131 for year in range(2000, 2020)])
        >>> are_days(days), are_days(days + 100 * pl.Series([0, 6, 7, 9] * 5))
        (False, True)
    """
    import polars as pl

    least, most = series.min(), series.max()
    if least is None or least < YEARS[0] * 10_000 or most > (YEARS[1] + 1) * 10_000:
        return False
    distinct = series.drop_nulls().unique().cast(pl.Int64)
    months = distinct // 100 % 100
    if len(distinct) < LEAST_DAYS or months.n_unique() < LEAST_MONTHS:
        return False
    days = distinct.cast(pl.String).str.to_date("%Y%m%d", strict=False)
    return bool(days.is_not_null().all())
