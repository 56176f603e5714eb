-- Passes that have no run to show for them: failed, missed, late.
SELECT
    j.job, t.venue, t.underlying, t.cadence, j.slot, j.outcome, j.note, j.started_wall, j.ended_wall
FROM job_runs j
LEFT JOIN streams t ON t.key = j.stream_key
