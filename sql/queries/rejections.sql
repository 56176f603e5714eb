-- What was left out, and why, as known at :as_known.
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
    k.as_of, k.run_id, k.venue, k.underlying, k.cadence, j.stage, j.reason, j.subject, j.detail
FROM known k
JOIN rejections j ON j.run_key = k.run_key
WHERE (CAST(:stage AS TEXT) IS NULL OR j.stage = :stage)
  AND (CAST(:reason AS TEXT) IS NULL OR j.reason = :reason)
ORDER BY k.as_of, k.venue, k.underlying, k.cadence, j.i
