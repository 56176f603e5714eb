-- The series of one metric.
SELECT s.key, s.stream_key, NULLIF(s.model, '') AS model, s.scope, s.unit
FROM series s
WHERE s.metric = :metric
  AND (CAST(:model AS TEXT) IS NULL OR s.model = :model)
  AND (CAST(:scope AS TEXT) IS NULL OR s.scope = :scope)
ORDER BY s.model, s.scope, s.unit
