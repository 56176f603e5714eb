-- The values of one metric, by series and run; the reader lays runs and series beside them.
SELECT m.series_key, m.run_key, m.value, m.n, m.stderr
FROM series s
JOIN streams t ON t.key = s.stream_key
JOIN metrics m ON m.series_key = s.key
WHERE s.metric = :metric
  AND (CAST(:model AS TEXT) IS NULL OR s.model = :model)
  AND (CAST(:scope AS TEXT) IS NULL OR s.scope = :scope)
  AND (CAST(:venue AS TEXT) IS NULL OR t.venue = :venue)
  AND (CAST(:underlying AS TEXT) IS NULL OR t.underlying = :underlying)
  AND (CAST(:cadence AS TEXT) IS NULL OR t.cadence = :cadence)
  AND m.run_key >= :low AND m.run_key <= :high
