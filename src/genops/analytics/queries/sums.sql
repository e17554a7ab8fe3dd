-- What spend_by says that costs little: no quantiles, no tokens. Without columns, one row for all calls.
SELECT
    {{columns}}
    count(*) FILTER (WHERE c.outcome <> 'blocked') AS calls,
    count(*) FILTER (WHERE c.outcome = 'blocked') AS blocked,
    count(*) FILTER (WHERE c.outcome <> 'blocked' AND c.cost IS NULL) AS unpriced,
    coalesce(sum(c.cost), 0) AS cost,
    min(c.started_at) AS first_at,
    max(c.started_at) AS last_at
FROM {{calls}}
WHERE {{where}}
{{group}}
ORDER BY cost DESC, calls DESC{{order}}
{{limit}}
