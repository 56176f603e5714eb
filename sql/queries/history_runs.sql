-- The runs of some streams that spoke for their slots as known at :as_known: no more of each than
-- a history shows, for a year of five-minute runs is a hundred thousand. The slots are those of
-- `history_slots`: who speaks is found slot by slot, and only of those that are meant.
SELECT s.run_key, r.id, r.as_of, s.stream_key
FROM (
    SELECT
        a.run_key, a.stream_key, a.slot,
        LEAD(a.slot) OVER (
            PARTITION BY a.stream_key ORDER BY a.slot, a.known_wall, a.key
        ) AS next_slot
    FROM answers a
    WHERE a.stream_key IN :streams AND a.slot >= :first_slot AND a.slot <= :last_slot
      AND a.known_wall <= :as_known
) s
JOIN runs r ON r.key = s.run_key
WHERE (s.next_slot IS NULL OR s.next_slot <> s.slot)
  AND r.stream_key IN :streams AND r.as_of >= :since AND r.as_of <= :until
