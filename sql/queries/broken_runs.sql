-- Of the latest :n runs, those that are not whole: nothing says since when they speak, nothing was
-- judged or measured, or there are other than the counted quotes or residuals. Retention removes
-- all quotes of a run, or all residuals: none at all is whole.
SELECT r.id
FROM (SELECT key, id, COALESCE(n_quotes, 0) AS n_quotes FROM runs ORDER BY key DESC LIMIT :n) r
WHERE NOT EXISTS (SELECT 1 FROM answers a WHERE a.run_key = r.key)
   OR NOT EXISTS (SELECT 1 FROM verdicts v WHERE v.run_key = r.key)
   OR (r.n_quotes > 0 AND NOT EXISTS (SELECT 1 FROM metrics m WHERE m.run_key = r.key))
   OR (SELECT COUNT(*) FROM quotes q WHERE q.run_key = r.key) NOT IN (0, r.n_quotes)
   OR EXISTS (
        SELECT d.model_key FROM residuals d WHERE d.run_key = r.key
        GROUP BY d.model_key HAVING COUNT(*) <> r.n_quotes
    )
ORDER BY r.key
