-- Runs once in the new database, as the superuser: what migrations, which run as the owner, may not do.
create extension if not exists pg_trgm;
