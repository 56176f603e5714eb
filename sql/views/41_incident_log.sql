-- Every event in the life of every incident, as it was written. `counts` is false for an event of
-- a run that no longer speaks for its slot.
SELECT
    i.id, i.trouble AS incident_key, e.slot, e.wall, e.event, e.author, e.note, e.state, e.severity,
    i.cause, t.venue, t.underlying, t.cadence, e.model, e.metric, e.scope, i.opened_at,
    e.last_seen, e.resolved_at, e.value, e.threshold, e.usd, e.message, e.run_id, e.escalated,
    e.runs_seen, e.runs_quiet, e.reopenings, e.models, e.verdict, e.key AS event_key,
    (e.run_key IS NULL OR e.run_key IN (SELECT r.run_key FROM current_runs r)) AS counts
FROM incident_events e
JOIN incidents i ON i.key = e.incident_key
JOIN streams t ON t.key = i.stream_key
