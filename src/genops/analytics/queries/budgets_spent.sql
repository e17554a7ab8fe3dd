SELECT
    c.budget_name AS budget_name,
    count(*) FILTER (WHERE c.outcome <> 'blocked') AS calls,
    count(*) FILTER (WHERE c.outcome = 'blocked') AS blocked,
    coalesce(sum(c.cost), 0) AS cost,
    max(c.started_at) AS last_at
FROM {{calls}}
WHERE c.budget_name IS NOT NULL AND {{where}}
GROUP BY c.budget_name
ORDER BY cost DESC, budget_name
