SELECT c.provider AS provider, c.model AS model, c.unpriced_reason AS reason, count(*) AS calls
FROM {{calls}}
WHERE c.outcome <> 'blocked' AND c.cost IS NULL AND {{where}}
GROUP BY c.provider, c.model, c.unpriced_reason
ORDER BY calls DESC, provider, model NULLS LAST, reason NULLS LAST
{{limit}}
