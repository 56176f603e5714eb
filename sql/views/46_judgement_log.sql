-- What experts said, and for which nights by the venue's time; `until` is the earliest end.
SELECT
    j.id, j.kind, j.venue, j.underlying, j.model, j.subject, j.value, j.spread, j.since,
    COALESCE((SELECT MIN(e.until) FROM judgement_ends e
              WHERE e.judgement_key = j.key AND e.until < j.until), j.until) AS until,
    j.author, j.reason, j.incident, j.created_wall
FROM judgements j
