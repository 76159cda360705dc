-- A rebuild may begin at a time: what arrived before stays as earlier epochs made
-- it. Rows of before this column are of rebuilds of everything.
ALTER TABLE {{.DB}}.epochs ADD COLUMN IF NOT EXISTS
    from_at DateTime64(3, 'UTC') DEFAULT toDateTime64('1900-01-01 00:00:00.000', 3, 'UTC')
    COMMENT 'Arrival that the rebuild begins with; 1900: everything'
    AFTER partition;

-- Rows of a rebuild that is not complete wait here, out of the readers' sight, and
-- are moved into the tables of the same names as whole partitions when it is. The
-- structures must be equal: a migration that alters a table alters both.
CREATE DATABASE IF NOT EXISTS {{.DB}}_next;
CREATE TABLE IF NOT EXISTS {{.DB}}_next.touchpoints AS {{.DB}}.touchpoints;
CREATE TABLE IF NOT EXISTS {{.DB}}_next.late AS {{.DB}}.late;
CREATE TABLE IF NOT EXISTS {{.DB}}_next.sessions AS {{.DB}}.sessions;
CREATE TABLE IF NOT EXISTS {{.DB}}_next.journeys AS {{.DB}}.journeys;
CREATE TABLE IF NOT EXISTS {{.DB}}_next.transitions AS {{.DB}}.transitions;
CREATE TABLE IF NOT EXISTS {{.DB}}_next.frictions AS {{.DB}}.frictions;
CREATE TABLE IF NOT EXISTS {{.DB}}_next.identities AS {{.DB}}.identities;
CREATE TABLE IF NOT EXISTS {{.DB}}_next.data_quality AS {{.DB}}.data_quality;
