SELECT
    {{columns}}
    c.provider AS provider,
    c.model AS model,
    c.usage.keys AS meter,
    sum(c.usage.values) AS quantity,
    count(*) AS calls
FROM {{calls}}
ARRAY JOIN c.usage
WHERE {{where}}
{{group c.provider c.model meter}}
ORDER BY provider, model NULLS LAST, meter{{order}}
