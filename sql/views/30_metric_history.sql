-- Every number of every current run.
SELECT
    r.as_of, r.run_id, r.venue, r.underlying, r.cadence, r.slot,
    NULLIF(s.model, '') AS model, s.metric, s.scope, m.value, s.unit, m.n, m.stderr
FROM series s
JOIN metrics m ON m.series_key = s.key
JOIN current_runs r ON r.run_key = m.run_key
