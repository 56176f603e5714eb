-- One row a slot: the run that speaks for it now.
SELECT
    run_key, run_id, venue, underlying, cadence, slot, as_of, snapshot, config, code, history,
    n_quotes, n_selected, known_wall, source
FROM known_runs
WHERE is_current
