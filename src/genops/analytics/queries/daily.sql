SELECT
    {{bucket}} AS day,
    {{value}} AS value,
    count(*) FILTER (WHERE c.outcome <> 'blocked') AS calls,
    coalesce(sum(c.cost), 0) AS cost,
    coalesce(sum(coalesce(c.list_cost, c.cost)), 0) AS list_cost,
    coalesce(sum(c.input_tokens), 0) AS input_tokens,
    coalesce(sum(c.output_tokens), 0) AS output_tokens
FROM {{calls}}
WHERE {{where}}
GROUP BY 1, 2
ORDER BY 1, 2 NULLS LAST
