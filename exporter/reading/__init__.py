"""The ways of reading a table: each row once, at a bounded cost, however late its transaction commits.

=================================================  ====================================================
the fact is                                        read with
=================================================  ====================================================
a new row, final at once                           :class:`~exporter.reading.followed.Followed`
a new row, final some minutes later                :class:`~exporter.reading.delayed.Delayed`
a new row that should soon change                  :class:`~exporter.reading.watch.Watch`
a changed row, by an index on the time             :class:`~exporter.reading.changes.Changes`
a changed row, by an index on (store, time)        :class:`~exporter.reading.time_slices.TimeSlices`
the same small question about each store           :class:`~exporter.reading.per_subject.PerSubject`
the newest rows, of which one may be missed        :class:`~exporter.reading.by_id.ById`
the rows with these ids                            :func:`~exporter.reading.batches.in_batches`
=================================================  ====================================================

Each is declared once, at the top of a collector, which lists its ``queries`` or its ``query``.
:mod:`~exporter.reading.gaps` explains why the largest id is not enough to know what was read, and
:mod:`~exporter.reading.reused` how ids that are given out again differ from a server that lags.
Where rows have no time, :mod:`~exporter.reading.restarts` judges by their pace. Times that are compared
with a row's are read from :class:`~exporter.reading.clock.DatabaseClock`.
"""
