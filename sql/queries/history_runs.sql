-- The runs of a stream whose chains are of a time, no more of each than a history shows: a year of
-- five-minute runs is a hundred thousand.
SELECT r.key, r.id, r.as_of
FROM runs r
WHERE r.stream_key = :stream AND r.as_of >= :since AND r.as_of <= :until
