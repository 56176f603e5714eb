-- The series of one metric in a stream.
SELECT s.key, NULLIF(s.model, '') AS model, s.scope, s.unit
FROM series s
WHERE s.metric = :metric AND s.stream_key = :stream
  AND (CAST(:model AS TEXT) IS NULL OR s.model = :model)
  AND (CAST(:scope AS TEXT) IS NULL OR s.scope = :scope)
ORDER BY s.model, s.scope, s.unit
