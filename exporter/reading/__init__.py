"""The ways of reading a table: each row once, at a bounded cost, however late a transaction commits."""
