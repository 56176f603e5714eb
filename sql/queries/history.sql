-- One metric through time, as known at :as_known.
SELECT
    r.as_of, r.id AS run_id, t.venue, t.underlying, t.cadence, r.slot,
    NULLIF(s.model, '') AS model, s.metric, s.scope, m.value, s.unit, m.n, m.stderr
FROM series s
JOIN streams t ON t.key = s.stream_key
JOIN metrics m ON m.series_key = s.key
JOIN runs r ON r.key = m.run_key
JOIN answers a ON a.run_key = r.key
WHERE s.metric = :metric
  AND (CAST(:model AS TEXT) IS NULL OR s.model = :model)
  AND (CAST(:scope AS TEXT) IS NULL OR s.scope = :scope)
  AND (CAST(:venue AS TEXT) IS NULL OR t.venue = :venue)
  AND (CAST(:underlying AS TEXT) IS NULL OR t.underlying = :underlying)
  AND (CAST(:cadence AS TEXT) IS NULL OR t.cadence = :cadence)
  AND r.as_of >= :since AND r.as_of <= :until
  AND a.known_wall <= :as_known
  AND NOT EXISTS (
        SELECT 1 FROM answers b
        WHERE b.stream_key = a.stream_key AND b.slot = a.slot AND b.known_wall <= :as_known
          AND (b.known_wall, b.key) > (a.known_wall, a.key)
    )
ORDER BY r.as_of, t.venue, t.underlying, t.cadence, s.model, s.scope
