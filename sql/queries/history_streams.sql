-- The streams of a place, in the order in which a history lists what is of one time.
SELECT t.key, t.venue, t.underlying, t.cadence
FROM streams t
WHERE (CAST(:venue AS TEXT) IS NULL OR t.venue = :venue)
  AND (CAST(:underlying AS TEXT) IS NULL OR t.underlying = :underlying)
  AND (CAST(:cadence AS TEXT) IS NULL OR t.cadence = :cadence)
ORDER BY t.venue, t.underlying, t.cadence
