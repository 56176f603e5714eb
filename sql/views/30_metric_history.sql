-- Every number of every current run. Series are found by their own stream, not by that of the runs:
-- else a year of nights would be sought among all streams' numbers of that name.
SELECT
    r.as_of, r.id AS run_id, t.venue, t.underlying, t.cadence, r.slot,
    NULLIF(s.model, '') AS model, s.metric, s.scope, m.value, s.unit, m.n, m.stderr
FROM streams t
JOIN series s ON s.stream_key = t.key
JOIN metrics m ON m.series_key = s.key
JOIN runs r ON r.key = m.run_key
JOIN answers a ON a.run_key = m.run_key
WHERE NOT EXISTS (
        SELECT 1 FROM answers b
        WHERE b.stream_key = a.stream_key AND b.slot = a.slot
          AND (b.known_wall, b.key) > (a.known_wall, a.key)
    )
