-- How many flows have an unattributed end, by reason, from the table node; a flow with two such ends counts for both.
SELECT name AS reason, flows
FROM node
WHERE class = 'unattributed'
ORDER BY flows DESC, reason
