-- Every number of one run, about one model or about the market ('').
SELECT s.metric, s.scope, s.unit, m.value, m.n, m.stderr
FROM metrics m
JOIN series s ON s.key = m.series_key
WHERE m.run_key = :run_key AND s.model = :model
ORDER BY s.metric, s.scope
