SELECT
    count(*) FILTER (WHERE c.outcome <> 'blocked') AS calls,
    count(*) FILTER (WHERE c.outcome = 'blocked') AS blocked,
    count(*) FILTER (WHERE c.outcome = 'error') AS errors,
    count(*) FILTER (WHERE c.cost_status = 'estimated') AS estimated,
    count(*) FILTER (WHERE c.outcome <> 'blocked' AND c.cost IS NULL) AS unpriced,
    count(*) FILTER (WHERE c.cost_status = 'partial') AS partial,
    coalesce(sum(c.cost), 0) AS cost,
    coalesce(sum(coalesce(c.list_cost, c.cost)), 0) AS list_cost,
    coalesce(sum(c.input_tokens), 0) AS input_tokens,
    coalesce(sum(c.output_tokens), 0) AS output_tokens,
    coalesce(sum(c.cached_tokens), 0) AS cached_tokens,
    count(DISTINCT c.customer_id) AS customers,
    {{quantile 0.5 duration_ms}} FILTER (WHERE c.outcome <> 'blocked') AS p50_ms,
    {{quantile 0.95 duration_ms}} FILTER (WHERE c.outcome <> 'blocked') AS p95_ms,
    min(c.started_at) AS first_at,
    max(c.started_at) AS last_at
FROM {{calls}}
WHERE {{where}}
