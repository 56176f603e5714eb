-- Market against one model, quote by quote, of one run.
SELECT
    o.name AS model, e.expiry, e.tau, e.forward, q.strike,
    CASE WHEN q.sign > 0 THEN 'C' ELSE 'P' END AS cp, q.k, q.iv_bid, q.iv_ask, q.iv, q.noise,
    q.vega, q.open_interest, d.iv AS model_iv, d.iv - q.iv AS residual, d.z
FROM residuals d
JOIN models o ON o.key = d.model_key
JOIN quotes q ON q.run_key = d.run_key AND q.i = d.i
JOIN expiries e ON e.run_key = q.run_key AND e.i = q.expiry_i
WHERE d.run_key = :run_key
ORDER BY o.name, q.i
