SELECT {{attribution}}
    count(*) AS calls
FROM {{calls}}
WHERE c.outcome <> 'blocked' AND {{where}}
