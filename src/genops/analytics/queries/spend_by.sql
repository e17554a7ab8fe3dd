SELECT
    {{columns}}
    count(*) FILTER (WHERE c.outcome <> 'blocked') AS calls,
    count(*) FILTER (WHERE c.outcome = 'blocked') AS blocked,
    count(*) FILTER (WHERE c.outcome <> 'blocked' AND c.cost IS NULL) AS unpriced,
    coalesce(sum(c.cost), 0) AS cost,
    coalesce(sum(coalesce(c.list_cost, c.cost)), 0) AS list_cost,
    coalesce(sum(c.input_tokens), 0) AS input_tokens,
    coalesce(sum(c.output_tokens), 0) AS output_tokens,
    {{quantile 0.5 duration_ms}} FILTER (WHERE c.outcome <> 'blocked') AS p50_ms,
    {{quantile 0.95 duration_ms}} FILTER (WHERE c.outcome <> 'blocked') AS p95_ms
FROM {{calls}}
WHERE {{where}}
{{group}}
ORDER BY cost DESC, calls DESC{{order}}
{{limit}}
