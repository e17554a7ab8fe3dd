SELECT {{value}} AS value, count(*) AS calls
FROM {{calls}}
WHERE {{where}}
GROUP BY 1
ORDER BY calls DESC, value NULLS LAST
{{limit}}
