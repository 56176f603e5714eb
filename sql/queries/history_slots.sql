-- Between which slots the runs of a stream lie whose chains are of a time.
SELECT MIN(r.slot) AS first_slot, MAX(r.slot) AS last_slot
FROM runs r
WHERE r.stream_key = :stream AND r.as_of >= :since AND r.as_of <= :until
