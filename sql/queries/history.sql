-- The values of some series, by series and run; the reader lays runs and series beside them.
SELECT m.series_key, m.run_key, m.value, m.n, m.stderr
FROM metrics m
WHERE m.series_key IN :series AND m.run_key >= :low AND m.run_key <= :high
