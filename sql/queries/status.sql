-- The latest judgement of each model at :at, as known at :as_known, looking back 30 slots.
WITH spans AS MATERIALIZED (
    SELECT t.key AS stream_key, COALESCE((
            SELECT c.slot FROM answers c JOIN runs q ON q.key = c.run_key
            WHERE c.stream_key = t.key AND q.as_of <= :at AND c.known_wall <= :as_known
            GROUP BY c.slot ORDER BY c.slot DESC LIMIT 1 OFFSET 29
        ), '') AS first_slot
    FROM streams t
),
known AS MATERIALIZED (
    SELECT a.stream_key, a.slot, a.run_key, r.id AS run_id, r.as_of
    FROM spans s
    JOIN answers a ON a.stream_key = s.stream_key AND a.slot >= s.first_slot
    JOIN runs r ON r.key = a.run_key
    WHERE r.as_of <= :at AND a.known_wall <= :as_known
      AND NOT EXISTS (
            SELECT 1 FROM answers b
            WHERE b.stream_key = a.stream_key AND b.slot = a.slot AND b.known_wall <= :as_known
              AND (b.known_wall, b.key) > (a.known_wall, a.key)
        )
)
SELECT
    k.as_of, t.venue, t.underlying, t.cadence, o.name AS model, v.status, v.reason, k.run_id,
    v.run_key, v.model_key
FROM known k
JOIN streams t ON t.key = k.stream_key
JOIN verdicts v ON v.run_key = k.run_key
JOIN models o ON o.key = v.model_key
WHERE NOT EXISTS (
        SELECT 1 FROM known l
        JOIN verdicts w ON w.run_key = l.run_key AND w.model_key = v.model_key
        WHERE l.stream_key = k.stream_key AND l.slot > k.slot
    )
ORDER BY t.venue, t.underlying, t.cadence, o.name
