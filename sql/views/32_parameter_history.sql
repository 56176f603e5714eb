-- Every fitted parameter of every current run; `rho@2026-03-27` belongs to one expiry.
SELECT
    r.as_of, r.run_id, r.venue, r.underlying, r.cadence, r.slot, o.name AS model,
    p.name AS parameter, p.value, p.stderr, p.at_bound
FROM parameters p
JOIN models o ON o.key = p.model_key
JOIN current_runs r ON r.run_key = p.run_key
