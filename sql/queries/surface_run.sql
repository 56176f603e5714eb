-- The latest run of an underlying that had usable quotes, at :at.
SELECT r.key AS run_key, r.id AS run_id, r.as_of, t.venue, t.underlying
FROM streams t
JOIN answers a ON a.stream_key = t.key
JOIN runs r ON r.key = a.run_key
WHERE t.underlying = :underlying
  AND (CAST(:venue AS TEXT) IS NULL OR t.venue = :venue)
  AND (CAST(:cadence AS TEXT) IS NULL OR t.cadence = :cadence)
  AND r.n_quotes > 0 AND r.as_of <= :at
  AND NOT EXISTS (
        SELECT 1 FROM answers b
        WHERE b.stream_key = a.stream_key AND b.slot = a.slot
          AND (b.known_wall, b.key) > (a.known_wall, a.key)
    )
ORDER BY r.as_of DESC, a.key DESC
LIMIT 1
