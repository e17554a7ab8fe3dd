SELECT
    {{columns}}
    count(*) AS calls,
    coalesce(sum(c.reserved), 0) AS reserved,
    coalesce(sum(c.actual), 0) AS actual
FROM {{calls}}
WHERE c.accounting_unit = 'USD' AND c.outcome <> 'blocked' AND c.reserved IS NOT NULL AND c.cost IS NOT NULL AND {{where}}
{{group}}
ORDER BY reserved DESC{{order}}
