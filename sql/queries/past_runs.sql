-- The runs that speak for the slots of one stream before :slot, as known at :as_known, newest
-- first.
SELECT a.run_key, a.slot, r.as_of, r.n_quotes, s.chain_digest
FROM answers a
JOIN runs r ON r.key = a.run_key
JOIN snapshots s ON s.key = r.snapshot_key
WHERE a.stream_key = :stream AND a.slot < :slot AND a.known_wall <= :as_known
  AND NOT EXISTS (
        SELECT 1 FROM answers b
        WHERE b.stream_key = a.stream_key AND b.slot = a.slot AND b.known_wall <= :as_known
          AND (b.known_wall, b.key) > (a.known_wall, a.key)
    )
ORDER BY a.slot DESC
LIMIT :n
