-- The latest judgement of each model, looking back over the last 30 slots of its stream.
SELECT
    r.as_of, r.run_id, r.venue, r.underlying, r.cadence, r.slot, o.name AS model,
    v.status, v.reason,
    (SELECT COUNT(*) FROM findings f WHERE f.run_key = v.run_key AND f.model_key = v.model_key)
        AS n_findings
FROM streams t
JOIN current_runs r
    ON r.venue = t.venue AND r.underlying = t.underlying AND r.cadence = t.cadence
JOIN verdicts v ON v.run_key = r.run_key
JOIN models o ON o.key = v.model_key
WHERE r.slot >= COALESCE((
        SELECT c.slot FROM current_runs c
        WHERE c.venue = t.venue AND c.underlying = t.underlying AND c.cadence = t.cadence
        ORDER BY c.slot DESC LIMIT 1 OFFSET 29
    ), '')
  AND NOT EXISTS (
        SELECT 1 FROM current_runs c
        JOIN verdicts w ON w.run_key = c.run_key AND w.model_key = v.model_key
        WHERE c.venue = t.venue AND c.underlying = t.underlying AND c.cadence = t.cadence
          AND c.slot > r.slot
    )
