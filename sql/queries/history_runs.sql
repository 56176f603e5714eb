-- The runs of some streams that spoke for their slots as known at :as_known: no more of each than
-- a history shows, for a year of five-minute runs is a hundred thousand.
SELECT a.run_key, r.id, r.as_of, a.stream_key
FROM answers a
JOIN runs r ON r.key = a.run_key AND r.stream_key = a.stream_key
WHERE a.stream_key IN :streams AND r.stream_key IN :streams
  AND r.as_of >= :since AND r.as_of <= :until
  AND a.known_wall <= :as_known
  AND NOT EXISTS (
        SELECT 1 FROM answers b
        WHERE b.stream_key = a.stream_key AND b.slot = a.slot AND b.known_wall <= :as_known
          AND (b.known_wall, b.key) > (a.known_wall, a.key)
    )
