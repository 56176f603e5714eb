-- Fitted parameters through time, as known at :as_known.
WITH known AS MATERIALIZED (
    SELECT a.run_key, r.id AS run_id, r.as_of, t.venue, t.underlying, t.cadence
    FROM answers a
    JOIN runs r ON r.key = a.run_key
    JOIN streams t ON t.key = a.stream_key
    WHERE (CAST(:run_id AS TEXT) IS NULL OR r.id = :run_id)
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
)
SELECT
    k.as_of, k.run_id, k.venue, k.underlying, k.cadence, o.name AS model,
    p.name AS parameter, p.value, p.stderr, p.at_bound, f.status
FROM known k
CROSS JOIN models o
JOIN fits f ON f.run_key = k.run_key AND f.model_key = o.key
JOIN parameters p ON p.run_key = f.run_key AND p.model_key = f.model_key
WHERE CAST(:model AS TEXT) IS NULL OR o.name = :model
ORDER BY k.as_of, k.venue, k.underlying, k.cadence, o.name, p.i
