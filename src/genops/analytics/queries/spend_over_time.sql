WITH leaders AS (
    SELECT {{value}} AS value
    FROM {{calls}}
    WHERE {{where}} AND {{value}} IS NOT NULL
    GROUP BY value
    ORDER BY coalesce(sum(c.cost), 0) DESC, count(*) DESC, value
    {{top}}
)
SELECT
    {{bucket}} AS bucket,
    CASE
        WHEN {{value}} IS NULL THEN NULL
        WHEN {{value}} IN (SELECT value FROM leaders) THEN {{value}}
        ELSE {{other}}
    END AS value,
    count(*) FILTER (WHERE c.outcome <> 'blocked') AS calls,
    coalesce(sum(c.cost), 0) AS cost,
    coalesce(sum(c.input_tokens), 0) AS input_tokens,
    coalesce(sum(c.output_tokens), 0) AS output_tokens
FROM {{calls}}
WHERE {{where}}
GROUP BY 1, 2
ORDER BY 1, 2 NULLS LAST
