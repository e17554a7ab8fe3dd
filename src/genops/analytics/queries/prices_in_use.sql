SELECT
    c.price_data_version AS price_data_version,
    c.cost_source AS cost_source,
    c.currency AS currency,
    count(*) AS calls,
    coalesce(sum(c.cost), 0) AS cost
FROM {{calls}}
WHERE c.cost IS NOT NULL AND {{where}}
GROUP BY c.price_data_version, c.cost_source, c.currency
ORDER BY calls DESC, price_data_version NULLS LAST, cost_source NULLS LAST, currency
