-- Every judgement of every current run.
SELECT
    r.as_of, r.run_id, r.venue, r.underlying, r.cadence, r.slot, o.name AS model,
    v.status, v.reason
FROM verdicts v
JOIN models o ON o.key = v.model_key
JOIN current_runs r ON r.run_key = v.run_key
