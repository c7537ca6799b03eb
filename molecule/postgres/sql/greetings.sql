-- Run once, as the database's owner, when the database is new.
create table greetings (id bigint generated always as identity primary key, words text not null);
insert into greetings (words) values ('hello'), ('привет');
