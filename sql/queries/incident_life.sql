-- Every event in the life of incident :id that counts, as it happened, with what was told of it.
SELECT
    l.slot, l.wall, l.event, l.author, l.note, l.verdict, l.state, l.severity, l.message, l.run_id,
    n.state AS told, n.told_wall
FROM incident_log l
JOIN incidents i ON i.id = l.id
LEFT JOIN news n
    ON n.incident_key = i.key AND n.slot = l.slot AND n.event = l.event AND l.author IS NULL
WHERE l.id = :id AND l.counts
ORDER BY l.slot, l.event_key
