-- The run :run, where it is stored and speaks for its slot.
SELECT a.run_key
FROM answers a
JOIN runs r ON r.key = a.run_key
WHERE r.id = :run
  AND NOT EXISTS (
        SELECT 1 FROM answers b
        WHERE b.stream_key = a.stream_key AND b.slot = a.slot
          AND (b.known_wall, b.key) > (a.known_wall, a.key)
    )
