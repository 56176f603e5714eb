-- Runs that spoke for their slots as known at :as_known, in time order.
SELECT
    r.as_of, r.id AS run_id, t.venue, t.underlying, t.cadence, r.slot, s.digest AS snapshot,
    r.config, r.code, r.history, r.n_quotes, r.n_selected, a.known_wall, a.source,
    r.key AS run_key
FROM answers a
JOIN runs r ON r.key = a.run_key
JOIN streams t ON t.key = a.stream_key
JOIN snapshots s ON s.key = r.snapshot_key
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
ORDER BY r.as_of, t.venue, t.underlying, t.cadence
