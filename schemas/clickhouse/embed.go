// Package clickhouse holds the DDL of the warehouse.
//
// Every file is a text/template whose only field is DB, the namespace: tables
// live in {{.DB}}, the views for people and BI tools in {{.DB}}_bi, the console's
// parameterised views in {{.DB}}_api. Statements end with a semicolon at the end
// of a line.
//
// Files in migrations run once each, in the order of their numbers; an applied
// one must never change, so write the next number instead. Files in views run at
// every migrate, after the migrations and in name order, and may change freely.
package clickhouse

import "embed"

// Migrations holds migrations/NNNN_name.sql.
//
//go:embed migrations/*.sql
var Migrations embed.FS

// Views holds views/*.sql.
//
//go:embed views/*.sql
var Views embed.FS
