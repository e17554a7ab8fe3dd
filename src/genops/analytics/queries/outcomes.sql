SELECT
    {{columns}}
    c.outcome AS outcome,
    c.error_type AS error_type,
    count(*) AS calls,
    coalesce(sum(c.cost), 0) AS cost
FROM {{calls}}
WHERE {{where}}
{{group c.outcome c.error_type}}
ORDER BY calls DESC, outcome, error_type NULLS LAST{{order}}
