-- Market against model, quote by quote, of every current run. `iv` is the market's midpoint,
-- `z` the model's residual (model less market) over that residual's own standard deviation.
SELECT
    r.as_of, r.run_id, r.venue, r.underlying, r.cadence, r.slot, o.name AS model,
    e.expiry, e.tau, e.forward, q.strike, CASE WHEN q.sign > 0 THEN 'C' ELSE 'P' END AS cp, q.k,
    q.iv_bid, q.iv_ask, q.iv, q.noise, d.iv AS model_iv, d.iv - q.iv AS residual, d.z
FROM residuals d
JOIN models o ON o.key = d.model_key
JOIN quotes q ON q.run_key = d.run_key AND q.i = d.i
JOIN expiries e ON e.run_key = q.run_key AND e.i = q.expiry_i
JOIN current_runs r ON r.run_key = d.run_key
