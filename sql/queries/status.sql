-- The latest judgement of each model at :at, as known at :as_known, looking back 30 slots. The
-- slots are found one by one, backwards through the index: asked for a range of them, a database
-- that cannot know how few they are reads whole tables.
WITH RECURSIVE recent (stream_key, slot, place) AS (
    SELECT t.key, (
            SELECT a.slot FROM answers a JOIN runs r ON r.key = a.run_key
            WHERE a.stream_key = t.key AND r.as_of <= :at AND a.known_wall <= :as_known
            ORDER BY a.slot DESC LIMIT 1
        ), 1
    FROM streams t
    UNION ALL
    SELECT s.stream_key, (
            SELECT a.slot FROM answers a JOIN runs r ON r.key = a.run_key
            WHERE a.stream_key = s.stream_key AND a.slot < s.slot
              AND r.as_of <= :at AND a.known_wall <= :as_known
            ORDER BY a.slot DESC LIMIT 1
        ), s.place + 1
    FROM recent s
    WHERE s.place < 30 AND s.slot IS NOT NULL
),
known AS (
    SELECT s.stream_key, s.slot, (
            SELECT a.run_key FROM answers a
            WHERE a.stream_key = s.stream_key AND a.slot = s.slot AND a.known_wall <= :as_known
            ORDER BY a.known_wall DESC, a.key DESC LIMIT 1
        ) AS run_key
    FROM recent s
    WHERE s.slot IS NOT NULL
),
judged AS (
    SELECT
        r.as_of, k.stream_key, r.id AS run_id, v.run_key, v.model_key, v.status, v.reason,
        ROW_NUMBER() OVER (PARTITION BY k.stream_key, v.model_key ORDER BY k.slot DESC) AS place
    FROM known k
    JOIN runs r ON r.key = k.run_key
    JOIN verdicts v ON v.run_key = k.run_key
    WHERE r.as_of <= :at
)
SELECT
    j.as_of, t.venue, t.underlying, t.cadence, o.name AS model, j.status, j.reason, j.run_id,
    j.run_key, j.model_key
FROM judged j
JOIN streams t ON t.key = j.stream_key
JOIN models o ON o.key = j.model_key
WHERE j.place = 1
ORDER BY t.venue, t.underlying, t.cadence, o.name
