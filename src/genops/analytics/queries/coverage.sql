SELECT c.cost_status AS cost_status, count(*) AS calls, coalesce(sum(c.cost), 0) AS cost
FROM {{calls}}
WHERE c.outcome <> 'blocked' AND {{where}}
GROUP BY c.cost_status
ORDER BY calls DESC, cost_status NULLS LAST
