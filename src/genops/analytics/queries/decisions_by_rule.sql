SELECT
    c.policy_name AS policy_name,
    c.policy_reason_code AS reason_code,
    c.policy_result AS result,
    count(*) AS calls,
    max(c.started_at) AS last_at,
    coalesce(sum(c.cost), 0) AS cost
FROM {{calls}}
WHERE (c.policy_name IS NOT NULL OR c.policy_result <> 'ALLOWED') AND {{where}}
GROUP BY c.policy_name, c.policy_reason_code, c.policy_result
ORDER BY calls DESC, policy_name NULLS LAST, reason_code NULLS LAST, result
{{limit}}
