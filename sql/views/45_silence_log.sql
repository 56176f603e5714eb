-- Who wished not to be told of what, until when. An empty field matches everything.
SELECT
    s.id, s.incident, s.severity, s.cause, s.venue, s.underlying, s.model, s.owner, s.author,
    s.reason, s.created_wall, s.until_wall, s.ended_wall, s.ended_by
FROM silences s
