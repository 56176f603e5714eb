-- Who answered for which slot of a stream, as known at :as_known: of a slot, the last one speaks.
-- The reader finds it; a database that compares each answer with the next takes three times as long.
SELECT a.run_key, a.slot
FROM answers a
WHERE a.stream_key = :stream AND a.slot >= :first_slot AND a.slot <= :last_slot
  AND a.known_wall <= :as_known
ORDER BY a.slot, a.known_wall, a.key
