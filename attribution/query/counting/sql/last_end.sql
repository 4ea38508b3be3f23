-- When the last report of the window ends.
SELECT epoch_us(max("end")) AS last_end
FROM windowed
