-- What the desk was to be told of each incident, and when it was.
SELECT i.id, n.slot, n.event, n.severity, n.queued_wall, n.state, n.told_wall
FROM news n
JOIN incidents i ON i.key = n.incident_key
