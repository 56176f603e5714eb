-- What the desk was to be told, and whether it was. Receivers are named without their secrets.
SELECT
    o.message_key, o.severity, o.title, o.state, o.attempts, o.queued_wall, o.next_attempt_wall,
    o.sent_wall, o.last_error, d.target, d.state AS target_state, d.attempts AS target_attempts,
    d.sent_wall AS target_sent_wall, d.last_error AS target_error
FROM outbox o
LEFT JOIN deliveries d ON d.outbox_key = o.key
