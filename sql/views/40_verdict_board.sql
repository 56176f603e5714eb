-- The latest judgement of each model, looking back over the last 30 slots of its stream.
WITH spans AS MATERIALIZED (
    SELECT t.key AS stream_key, COALESCE((
            SELECT c.slot FROM answers c WHERE c.stream_key = t.key
            GROUP BY c.slot ORDER BY c.slot DESC LIMIT 1 OFFSET 29
        ), '') AS first_slot
    FROM streams t
),
recent AS MATERIALIZED (
    SELECT a.stream_key, a.slot, a.run_key
    FROM spans s
    JOIN answers a ON a.stream_key = s.stream_key AND a.slot >= s.first_slot
    WHERE NOT EXISTS (
            SELECT 1 FROM answers b
            WHERE b.stream_key = a.stream_key AND b.slot = a.slot
              AND (b.known_wall, b.key) > (a.known_wall, a.key)
        )
)
SELECT
    r.as_of, r.id AS run_id, t.venue, t.underlying, t.cadence, k.slot, o.name AS model,
    v.status, v.reason,
    (SELECT COUNT(*) FROM findings f WHERE f.run_key = v.run_key AND f.model_key = v.model_key)
        AS n_findings
FROM recent k
JOIN runs r ON r.key = k.run_key
JOIN streams t ON t.key = k.stream_key
JOIN verdicts v ON v.run_key = k.run_key
JOIN models o ON o.key = v.model_key
WHERE NOT EXISTS (
        SELECT 1 FROM recent l
        JOIN verdicts w ON w.run_key = l.run_key AND w.model_key = v.model_key
        WHERE l.stream_key = k.stream_key AND l.slot > k.slot
    )
