SELECT
    {{columns}}
    c.provider AS provider,
    c.model AS model,
    used AS meter,
    sum(amount) AS quantity,
    count(*) AS calls
FROM {{calls}}
ARRAY JOIN mapKeys(c.usage) AS used, mapValues(c.usage) AS amount
WHERE {{where}}
{{group c.provider c.model used}}
ORDER BY provider, model NULLS LAST, meter{{order}}
