-- Every run that spoke for a slot, with the time from which it did. A slot answered again, after a
-- change of code or rules, has several rows; is_current marks the one that speaks now.
SELECT
    a.key AS answer_key,
    r.key AS run_key,
    r.id AS run_id,
    t.venue,
    t.underlying,
    t.cadence,
    r.slot,
    r.as_of,
    s.digest AS snapshot,
    r.config,
    r.code,
    r.history,
    r.n_quotes,
    r.n_selected,
    a.known_wall,
    a.source,
    NOT EXISTS (
        SELECT 1 FROM answers b
        WHERE b.stream_key = a.stream_key AND b.slot = a.slot
          AND (b.known_wall, b.key) > (a.known_wall, a.key)
    ) AS is_current
FROM answers a
JOIN runs r ON r.key = a.run_key
JOIN streams t ON t.key = a.stream_key
JOIN snapshots s ON s.key = r.snapshot_key
