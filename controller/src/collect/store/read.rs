//! Reading: filters become conditions on indexed columns.

use super::StoreError;
use exeat_audit::chain::Entry;
use exeat_audit::filter::{Condition, Filter, Term};
use exeat_audit::head::SignedHead;
use exeat_audit::verify::STALE_MS;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

/// A chain that has been silent for longer is not counted as stale any more: its pod is long gone.
const FORGET_STALE_MS: u64 = 24 * 3600 * 1000;

/// A chain, as it stands.
#[derive(Debug, Clone)]
pub(in super::super) struct ChainRow {
    pub(in super::super) id: i64,
    pub(in super::super) chain: String,
    pub(in super::super) namespace: String,
    pub(in super::super) pod: String,
    pub(in super::super) public_key: String,
    pub(in super::super) entries: u64,
    pub(in super::super) head: SignedHead,
    pub(in super::super) last_seen: u64,
    pub(in super::super) closed: bool,
    pub(in super::super) broken: bool,
}

/// A record that was searched for.
#[derive(Debug, Clone)]
pub(in super::super) struct Found {
    pub(in super::super) chain: String,
    pub(in super::super) seq: u64,
    pub(in super::super) namespace: String,
    pub(in super::super) pod: String,
    pub(in super::super) record: String,
}

/// Chains by state. A broken chain is counted as broken alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in super::super) struct ChainCount {
    pub(in super::super) open: i64,
    pub(in super::super) closed: i64,
    pub(in super::super) stale: i64,
    pub(in super::super) broken: i64,
}

const CHAIN_COLUMNS: &str =
    "id, chain, namespace, pod, public_key, last_seq, head, last_seen, closed, broken";

pub(super) fn chain(connection: &Connection, id: &str) -> Result<Option<ChainRow>, StoreError> {
    let sql = format!("SELECT {CHAIN_COLUMNS} FROM chains WHERE chain = ?1");
    Ok(connection.query_row(&sql, [id], chain_row).optional()?)
}

pub(super) fn chains(
    connection: &Connection,
    namespace: Option<&str>,
    after: i64,
    limit: u32,
) -> Result<Vec<ChainRow>, StoreError> {
    let sql = format!(
        "SELECT {CHAIN_COLUMNS} FROM chains
         WHERE id > ?1 AND (?2 IS NULL OR namespace = ?2) ORDER BY id LIMIT ?3"
    );
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map(params![after, namespace, limit], chain_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn entries(
    connection: &Connection,
    chain: i64,
    after: Option<u64>,
    limit: u32,
) -> Result<Vec<Entry>, StoreError> {
    let after = after.map_or(-1, |after| i64::try_from(after).unwrap_or(i64::MAX));
    let mut statement = connection.prepare(
        "SELECT seq, record, link FROM entries WHERE chain = ?1 AND seq > ?2
         ORDER BY seq LIMIT ?3",
    )?;
    let rows = statement.query_map(params![chain, after, limit], |row| {
        Ok(Entry { seq: unsigned(row, 0)?, record: row.get(1)?, link: row.get(2)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn search(
    connection: &Connection,
    filter: &Filter,
    namespace: Option<&str>,
    last: u32,
) -> Result<Vec<Found>, StoreError> {
    let mut conditions = vec!["1".to_owned()];
    let mut values: Vec<Value> = Vec::new();
    if let Some(namespace) = namespace {
        conditions.push("c.namespace = ?".to_owned());
        values.push(namespace.to_owned().into());
    }
    for Condition { negated, term } in filter.terms() {
        let (condition, mut bound) = condition(term);
        conditions.push(match negated {
            false => condition.to_owned(),
            // What is not there is not what the term asks for.
            true => format!("NOT ifnull({condition}, 0)"),
        });
        values.append(&mut bound);
    }
    values.push(i64::from(last).into());
    let sql = format!(
        "SELECT c.chain, e.seq, c.namespace, c.pod, e.record
         FROM entries e JOIN chains c ON c.id = e.chain
         WHERE {} ORDER BY e.time DESC, e.id DESC LIMIT ?",
        conditions.join(" AND ")
    );
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map(params_from_iter(values), |row| {
        Ok(Found {
            chain: row.get(0)?,
            seq: unsigned(row, 1)?,
            namespace: row.get(2)?,
            pod: row.get(3)?,
            record: row.get(4)?,
        })
    })?;
    let mut found: Vec<Found> = rows.collect::<Result<_, _>>()?;
    found.reverse();
    Ok(found)
}

pub(super) fn count_chains(connection: &Connection, now: u64) -> Result<ChainCount, StoreError> {
    let ago = |ms: u64| i64::try_from(now.saturating_sub(ms)).unwrap_or(i64::MAX);
    let sql = "
        SELECT count(*) FILTER (WHERE NOT broken AND NOT closed AND last_seen >= ?1),
               count(*) FILTER (WHERE NOT broken AND closed),
               count(*) FILTER (WHERE NOT broken AND NOT closed
                                AND last_seen < ?1 AND last_seen >= ?2),
               count(*) FILTER (WHERE broken)
        FROM chains";
    let bounds = params![ago(STALE_MS), ago(FORGET_STALE_MS)];
    Ok(connection.query_row(sql, bounds, |row| {
        Ok(ChainCount {
            open: row.get(0)?,
            closed: row.get(1)?,
            stale: row.get(2)?,
            broken: row.get(3)?,
        })
    })?)
}

/// The same as [`Term::matches`], in SQL. `substr` rather than LIKE: values are taken as they are.
fn condition(term: &Term) -> (&'static str, Vec<Value>) {
    let text = |value: &str| Value::from(value.to_owned());
    match term {
        Term::Action(value) => (
            "(e.action = ? OR substr(e.action, 1, length(?)) = ?)",
            vec![text(value), text(&format!("{value}.")), text(&format!("{value}."))],
        ),
        Term::Effect(value) => ("e.effect = ?", vec![text(value)]),
        Term::Kind(value) => ("e.kind = ?", vec![text(value.as_str())]),
        Term::Method(value) => ("e.method = ?", vec![text(value)]),
        Term::Host(value) => ("e.host = ?", vec![text(value)]),
        Term::HostsBelow(value) => {
            ends_with("substr(e.host, -length(?)) = ?", &format!(".{value}"))
        }
        Term::Rule(value) => {
            let below = format!("/{value}");
            (
                "(e.rule = ? OR substr(e.rule, -length(?)) = ?)",
                vec![text(value), text(&below), text(&below)],
            )
        }
        Term::Code(value) => ("e.code = ?", vec![text(value)]),
        Term::Pod(value) => ("c.pod = ?", vec![text(value)]),
        Term::Namespace(value) => ("c.namespace = ?", vec![text(value)]),
        Term::Since(from) => {
            ("e.time >= ?", vec![Value::from(i64::try_from(*from).unwrap_or(i64::MAX))])
        }
    }
}

fn ends_with(condition: &'static str, end: &str) -> (&'static str, Vec<Value>) {
    (condition, vec![end.to_owned().into(), end.to_owned().into()])
}

fn chain_row(row: &Row<'_>) -> rusqlite::Result<ChainRow> {
    let head: String = row.get(6)?;
    let head = serde_json::from_str(&head).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(6, rusqlite::types::Type::Text, error.into())
    })?;
    Ok(ChainRow {
        id: row.get(0)?,
        chain: row.get(1)?,
        namespace: row.get(2)?,
        pod: row.get(3)?,
        public_key: row.get(4)?,
        entries: unsigned(row, 5)? + 1,
        head,
        last_seen: unsigned(row, 7)?,
        closed: row.get(8)?,
        broken: row.get(9)?,
    })
}

fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}
