-- Between which slots the runs of some streams lie whose chains are of a time.
SELECT MIN(r.slot) AS first_slot, MAX(r.slot) AS last_slot
FROM runs r
WHERE r.stream_key IN :streams AND r.as_of >= :since AND r.as_of <= :until
