-- Whom a run judged.
SELECT o.name
FROM verdicts v
JOIN models o ON o.key = v.model_key
WHERE v.run_key = :run_key
ORDER BY o.name
