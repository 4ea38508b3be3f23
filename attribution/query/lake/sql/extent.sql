-- When the first and the last flow of the lake start.
SELECT epoch_us(min(start)) AS first_start, epoch_us(max(start)) AS last_start
FROM attributed_flows
