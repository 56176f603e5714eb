-- What every current run left out, and why.
SELECT
    r.as_of, r.run_id, r.venue, r.underlying, r.cadence, r.slot,
    j.stage, j.reason, j.subject, j.detail
FROM rejections j
JOIN current_runs r ON r.run_key = j.run_key
