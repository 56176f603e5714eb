-- Every incident as it stands. The machine's last event gives the facts; what the desk did since
-- the machine last opened, escalated, reopened or resolved it gives the state.
SELECT
    m.id, m.incident_key, CASE WHEN b.event = 'resolved' OR d.state IS NULL THEN m.state
                               ELSE d.state END AS state,
    m.escalated, m.severity, m.cause, m.venue, m.underlying, m.cadence, m.model, m.metric, m.scope,
    m.opened_at, m.last_seen,
    CASE WHEN b.event = 'resolved' OR d.state IS NULL THEN m.resolved_at
         ELSE d.resolved_at END AS resolved_at,
    m.value, m.threshold, m.usd, m.message, m.run_id, m.runs_seen, m.runs_quiet,
    m.reopenings, m.models
FROM incident_log m
LEFT JOIN incident_log b ON b.id = m.id AND b.event_key = (
    SELECT e.event_key FROM incident_log e
    WHERE e.id = m.id AND e.author IS NULL AND e.counts
      AND e.event IN ('opened', 'escalated', 'reopened', 'resolved')
    ORDER BY e.slot DESC, e.event_key DESC LIMIT 1)
LEFT JOIN incident_log d ON d.id = m.id AND d.event_key = (
    SELECT e.event_key FROM incident_log e
    WHERE e.id = m.id AND e.author IS NOT NULL AND e.slot >= COALESCE(b.slot, '')
    ORDER BY e.event_key DESC LIMIT 1)
WHERE m.event_key = (
    SELECT e.event_key FROM incident_log e
    WHERE e.id = m.id AND e.author IS NULL AND e.counts
    ORDER BY e.slot DESC, e.event_key DESC LIMIT 1)
