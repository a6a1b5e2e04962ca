"""The tables that processes share, in SQL that SQLite and PostgreSQL both take, and what in them is over.

Times are seconds since 1970 by the clock that all share.
"""

from __future__ import annotations

VERSION = 1
"""Of a database; a file brings itself up to date without one."""
REMEMBERED = 600.0
"""Seconds for which the same create gets the first one's result; what came of it holds names, and goes then."""
IN_DOUBT = 86_400.0
"""Seconds for which a create is remembered whose end is not known: the same one again looks first."""
LINKS_KEPT = 86_400.0
"""Seconds for which links are kept that Aural no longer lists; names and addresses with them."""
LONGEST_GRANT = 3_600.0
"""Seconds after which no request of a budget matters."""
TABLES = """
create table if not exists grants (
    tenant text not null, id bigint not null, at double precision not null, ended integer not null,
    person text not null default '', turn bigint not null default 0, primary key (tenant, id)
);
create table if not exists pauses (tenant text primary key, until double precision not null);
create table if not exists creates (
    tenant text not null, digest text not null, tool text not null, state text not null,
    begun_at double precision not null, result text, primary key (tenant, digest)
);
create table if not exists secrets (name text primary key, value bytea not null);
create table if not exists journal (
    tenant text not null, task text not null, item text not null, done text not null, at double precision not null,
    primary key (tenant, task, item)
);
create table if not exists origins (
    tenant text not null, base_url text not null, origin text not null, at double precision not null,
    primary key (tenant, base_url)
);
create table if not exists codes (code text primary key, expires_at double precision not null);
create table if not exists asked (code text primary key, parts text not null, expires_at double precision not null);
create table if not exists drawn (
    tenant text not null, host text not null, at double precision not null, primary key (tenant, host)
);
create table if not exists sign_ins (
    id text primary key, client text not null, application text not null, issuer text not null, subject text not null,
    name text not null, role text not null, scopes text not null, resource text not null,
    made double precision not null, used double precision not null, until double precision not null,
    ended double precision, why text not null
);
create table if not exists tokens (
    digest text primary key, kind text not null, sign_in text not null, until double precision not null,
    used double precision, details text not null, sealed bytea
);
create index if not exists tokens_of_a_sign_in on tokens (sign_in);
create table if not exists applications (
    id text primary key, made double precision not null, used double precision not null, details text not null
);
"""
LOG = """
create table if not exists decision_log (
    writer text not null, seq bigint not null, at double precision not null, tenant text not null,
    line text not null, put double precision not null, primary key (writer, seq)
);
create index if not exists decision_log_in_order on decision_log (at, writer, seq);
create index if not exists decision_log_of_a_key on decision_log (tenant, at);
create index if not exists decision_log_as_it_came on decision_log (put);
create index if not exists decision_log_checkpoints on decision_log (put) where line like '%"tool":"checkpoint"%';
"""
"""The decision log, in a database alone: `at` as a line says it, `put` when it came there, by the database's clock."""
OVER = (
    ("delete from creates where state = 'done' and begun_at < ?", REMEMBERED),
    ("delete from creates where begun_at < ?", IN_DOUBT),
    ("delete from asked where expires_at < ?", 0.0),
    ("delete from codes where expires_at < ?", 0.0),
    ("delete from grants where at < ?", LONGEST_GRANT),
    ("delete from journal where task like 'links %' and at < ?", LINKS_KEPT),
)
"""What is too old to matter, and by how many seconds."""
