-- The numbers behind each incident as they stood after each run: found that night, or found earlier
-- and not calm for long enough.
SELECT
    i.id, r.id AS run_id, r.slot, m.model, m.metric, m.scope, m.value, m.threshold, m.is_floor,
    m.is_found, m.runs_calm
FROM incident_members m
JOIN incidents i ON i.key = m.incident_key
JOIN runs r ON r.key = m.run_key
