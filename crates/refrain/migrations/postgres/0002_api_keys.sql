-- The keys of the server, which come from another branch: this file holds their place in the order.
SELECT 1;
