-- Runs once in the new database, as its owner, before the first migration.
create extension if not exists pg_trgm;
