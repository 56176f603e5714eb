-- How every calibration of every current run ended.
SELECT
    r.as_of, r.run_id, r.venue, r.underlying, r.cadence, r.slot, o.name AS model,
    f.status, f.reason, f.cost, f.condition, f.evaluations, f.restarts, f.restarts_spread
FROM fits f
JOIN models o ON o.key = f.model_key
JOIN current_runs r ON r.run_key = f.run_key
