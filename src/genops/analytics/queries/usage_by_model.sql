SELECT
    {{columns}}
    c.provider AS provider,
    c.model AS model,
    c.meter.key AS meter,
    sum(c.meter.value) AS quantity,
    count(*) AS calls
FROM (SELECT c.*, unnest(map_entries(c.usage)) AS meter FROM {{calls}} WHERE {{where}}) AS c
{{group c.provider c.model c.meter.key}}
ORDER BY provider, model NULLS LAST, meter{{order}}
