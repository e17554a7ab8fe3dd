SELECT {{bucket}} AS bucket, c.policy_result AS result, count(*) AS calls
FROM {{calls}}
WHERE {{where}}
GROUP BY 1, 2
ORDER BY 1, 2
