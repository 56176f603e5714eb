-- The argument behind every judgement, in its order. `model` is the model judged, `about` the one
-- the finding concerns; NULL where it concerns the whole chain.
SELECT
    r.as_of, r.run_id, r.venue, r.underlying, r.cadence, r.slot, o.name AS model,
    f.i, f.kind, f.cause, f.severity, f.about, f.metric, f.scope, f.value, f.threshold, f.usd,
    f.message
FROM findings f
JOIN models o ON o.key = f.model_key
JOIN current_runs r ON r.run_key = f.run_key
