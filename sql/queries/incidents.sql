-- Incidents as they stood before :slot and as known at :as_known; of one stream, or of all.
-- `m` is the machine's last event, `b` the last by which it changed the state, `d` what the desk
-- did since. The view incident_board says the same of today.
SELECT
    i.key AS incident_no, i.id, i.trouble, i.cause, i.opened_at, t.venue, t.underlying, t.cadence,
    m.state, m.severity, m.model, m.metric, m.scope, m.last_seen, m.resolved_at, m.value,
    m.threshold, m.usd, m.message, m.run_id, m.escalated, m.runs_seen, m.runs_quiet,
    m.reopenings, m.models, m.run_key, m.slot AS slot, b.event AS turned, b.slot AS turned_slot,
    d.state AS desk_state, d.resolved_at AS desk_resolved_at, d.slot AS desk_slot
FROM incidents i
JOIN streams t ON t.key = i.stream_key
JOIN incident_events m ON m.key = (
    SELECT e.key FROM incident_events e
    WHERE e.incident_key = i.key AND e.slot < :slot AND e.author IS NULL
      AND CASE WHEN e.run_key IS NULL THEN e.wall <= :as_known ELSE EXISTS (
            SELECT 1 FROM answers a
            WHERE a.run_key = e.run_key AND a.known_wall <= :as_known AND NOT EXISTS (
                SELECT 1 FROM answers c
                WHERE c.stream_key = a.stream_key AND c.slot = a.slot
                  AND c.known_wall <= :as_known
                  AND (c.known_wall, c.key) > (a.known_wall, a.key))) END
    ORDER BY e.slot DESC, e.key DESC LIMIT 1)
LEFT JOIN incident_events b ON b.key = (
    SELECT e.key FROM incident_events e
    WHERE e.incident_key = i.key AND e.slot < :slot AND e.author IS NULL
      AND e.event IN ('opened', 'escalated', 'reopened', 'resolved')
      AND CASE WHEN e.run_key IS NULL THEN e.wall <= :as_known ELSE EXISTS (
            SELECT 1 FROM answers a
            WHERE a.run_key = e.run_key AND a.known_wall <= :as_known AND NOT EXISTS (
                SELECT 1 FROM answers c
                WHERE c.stream_key = a.stream_key AND c.slot = a.slot
                  AND c.known_wall <= :as_known
                  AND (c.known_wall, c.key) > (a.known_wall, a.key))) END
    ORDER BY e.slot DESC, e.key DESC LIMIT 1)
LEFT JOIN incident_events d ON d.key = (
    SELECT e.key FROM incident_events e
    WHERE e.incident_key = i.key AND e.slot < :slot AND e.author IS NOT NULL
      AND e.wall <= :as_known AND e.slot >= COALESCE(b.slot, '')
    ORDER BY e.key DESC LIMIT 1)
WHERE CAST(:stream AS INTEGER) IS NULL OR i.stream_key = CAST(:stream AS INTEGER)
ORDER BY i.opened_at, i.id
