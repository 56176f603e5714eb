-- The latest judgement of each model, looking back over the last 30 slots of its stream, which are
-- found one by one, backwards through the index.
WITH RECURSIVE recent (stream_key, slot, place) AS (
    SELECT t.key, (
            SELECT a.slot FROM answers a WHERE a.stream_key = t.key
            ORDER BY a.slot DESC LIMIT 1
        ), 1
    FROM streams t
    UNION ALL
    SELECT s.stream_key, (
            SELECT a.slot FROM answers a WHERE a.stream_key = s.stream_key AND a.slot < s.slot
            ORDER BY a.slot DESC LIMIT 1
        ), s.place + 1
    FROM recent s
    WHERE s.place < 30 AND s.slot IS NOT NULL
),
known AS (
    SELECT s.stream_key, s.slot, (
            SELECT a.run_key FROM answers a
            WHERE a.stream_key = s.stream_key AND a.slot = s.slot
            ORDER BY a.known_wall DESC, a.key DESC LIMIT 1
        ) AS run_key
    FROM recent s
    WHERE s.slot IS NOT NULL
),
judged AS (
    SELECT
        k.stream_key, k.slot, v.run_key, v.model_key, v.status, v.reason,
        ROW_NUMBER() OVER (PARTITION BY k.stream_key, v.model_key ORDER BY k.slot DESC) AS place
    FROM known k
    JOIN verdicts v ON v.run_key = k.run_key
)
SELECT
    r.as_of, r.id AS run_id, t.venue, t.underlying, t.cadence, j.slot, o.name AS model,
    j.status, j.reason,
    (SELECT COUNT(*) FROM findings f WHERE f.run_key = j.run_key AND f.model_key = j.model_key)
        AS n_findings
FROM judged j
JOIN runs r ON r.key = j.run_key
JOIN streams t ON t.key = j.stream_key
JOIN models o ON o.key = j.model_key
WHERE j.place = 1
