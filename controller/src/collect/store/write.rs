//! Writing: what follows is stored, what contradicts is kept as evidence.

use super::super::ingest::{Prepared, Refusal, Row, unverified};
use super::{Delivered, Delivery, StoreError};
use exeat_audit::chain::Link;
use exeat_audit::head::SignedHead;
use exeat_audit::key::PublicKey;
use exeat_audit::record::Kind;
use rusqlite::{Connection, OptionalExtension, Savepoint, Transaction, params};

/// Evidence that is kept of one chain.
const FORKS_AT_MOST: i64 = 100;

/// What a delivery added.
#[derive(Debug)]
pub(in super::super) struct Stored {
    /// The last entry of the chain that is on disk.
    pub(in super::super) seq: u64,
    /// What was not there before.
    pub(in super::super) added: Vec<Row>,
}

struct Known {
    id: i64,
    key: PublicKey,
    last_seq: u64,
    last_link: Link,
    head: SignedHead,
    closed: bool,
}

/// Stores a group in one transaction; each delivery is answered after the commit, and one that
/// fails takes no other with it.
pub(super) fn commit(connection: &mut Connection, group: Vec<Delivery>) {
    let mut answers = Vec::with_capacity(group.len());
    let committed = (|| {
        let mut transaction = connection.transaction()?;
        for delivery in group {
            let result = within(&mut transaction, delivery.batch, delivery.now);
            answers.push((delivery.answer, result));
        }
        transaction.commit().map_err(StoreError::from)
    })();
    if let Err(error) = &committed {
        tracing::error!(%error, "Audit not stored");
    }
    for (answer, result) in answers {
        // Without the commit nothing is on disk, whatever was found out on the way.
        let result = if committed.is_ok() { result } else { Err(StoreError::Overloaded) };
        // A caller that is gone sends again.
        let _ = answer.send(result);
    }
}

fn within(transaction: &mut Transaction<'_>, batch: Prepared, now: u64) -> Delivered {
    let savepoint = transaction.savepoint()?;
    let delivered = store(&savepoint, batch, now)?;
    // A fork has written its evidence; any other refusal has written nothing.
    savepoint.commit()?;
    Ok(delivered)
}

fn store(at: &Savepoint<'_>, batch: Prepared, now: u64) -> Delivered {
    let known = known(at, batch.chain.as_str())?;
    let key = known.as_ref().map(|known| known.key).or(batch.key);
    let Some(key) = key else {
        return Ok(Err(unverified("nothing of this chain is stored; send from entry 0")));
    };
    if let Err(error) = batch.head.verify(&key) {
        return Ok(Err(unverified(error)));
    }
    match known {
        None => begin(at, batch, &key, now),
        Some(known) => extend(at, known, batch, now),
    }
}

fn begin(at: &Savepoint<'_>, batch: Prepared, key: &PublicKey, now: u64) -> Delivered {
    let Some(last) = batch.rows.last() else {
        return Ok(Err(unverified("nothing of this chain is stored; send from entry 0")));
    };
    let (seq, closed) = (last.seq, last.record.kind == Kind::Close);
    at.execute(
        "INSERT INTO chains (chain, namespace, pod, public_key, last_seq, last_link, head,
                             first_seen, last_seen, closed, broken)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9, 0)",
        params![
            batch.chain.as_str(),
            batch.pod.namespace,
            batch.pod.pod_name,
            key.to_hex(),
            number(seq)?,
            last.link.to_string(),
            json(&batch.head)?,
            number(now)?,
            closed
        ],
    )?;
    insert(at, at.last_insert_rowid(), &batch.rows)?;
    Ok(Ok(Stored { seq, added: batch.rows }))
}

fn extend(at: &Savepoint<'_>, known: Known, mut batch: Prepared, now: u64) -> Delivered {
    if let Some(fork) = contradiction(at, &known, &batch)? {
        return refuse_fork(at, &known, &batch, fork, now);
    }
    let fresh = batch.rows.partition_point(|row| row.seq <= known.last_seq);
    let added = batch.rows.split_off(fresh);
    if let Some(first) = added.first()
        && batch.rows.is_empty()
    {
        if first.seq != known.last_seq + 1 {
            let next = known.last_seq + 1;
            return Ok(Err(unverified(format!("entry {next} comes next"))));
        }
        if known.last_link.next(first.seq, first.text.as_bytes()) != first.link {
            let problem = format!("entry {} does not continue what is stored", first.seq);
            return Ok(Err(unverified(problem)));
        }
    }
    if added.is_empty() && batch.head.seq > known.last_seq {
        return Ok(Err(unverified("the head covers entries that are not stored")));
    }
    insert(at, known.id, &added)?;
    let seq = added.last().map_or(known.last_seq, |row| row.seq);
    let link = added.last().map_or(known.last_link, |row| row.link);
    let closed = added.last().map_or(known.closed, |row| row.record.kind == Kind::Close);
    let is_newer = (batch.head.seq, &batch.head.time) > (known.head.seq, &known.head.time);
    let head = if is_newer { &batch.head } else { &known.head };
    // A batch that says nothing new is no sign of life: it may be an old one, played again.
    at.execute(
        "UPDATE chains SET last_seq = ?2, last_link = ?3, head = ?4, closed = ?5,
                last_seen = CASE WHEN ?6 THEN ?7 ELSE last_seen END
         WHERE id = ?1",
        params![
            known.id,
            number(seq)?,
            link.to_string(),
            json(head)?,
            closed,
            is_newer,
            number(now)?
        ],
    )?;
    Ok(Ok(Stored { seq, added }))
}

/// The first sequence at which the batch says otherwise than the store, and what it says. Links
/// cover all before them, so the last common one speaks for all.
fn contradiction(
    at: &Savepoint<'_>,
    known: &Known,
    batch: &Prepared,
) -> Result<Option<(u64, String, String)>, StoreError> {
    let common = batch.rows.iter().rev().find(|row| row.seq <= known.last_seq);
    let claimed = match common {
        Some(row) => Some((row.seq, row.link.to_string())),
        None if batch.rows.is_empty() && batch.head.seq <= known.last_seq => {
            Some((batch.head.seq, batch.head.link.clone()))
        }
        // A signed continuation of something else than what is stored.
        None => batch
            .rows
            .first()
            .filter(|row| row.seq == known.last_seq + 1)
            .filter(|row| known.last_link.next(row.seq, row.text.as_bytes()) != row.link)
            .map(|row| (row.seq, row.link.to_string())),
    };
    let Some((seq, claimed)) = claimed else { return Ok(None) };
    let stored = if seq > known.last_seq {
        String::new()
    } else {
        at.query_row(
            "SELECT link FROM entries WHERE chain = ?1 AND seq = ?2",
            params![known.id, number(seq)?],
            |row| row.get::<_, String>(0),
        )?
    };
    Ok((stored != claimed).then_some((seq, stored, claimed)))
}

fn refuse_fork(
    at: &Savepoint<'_>,
    known: &Known,
    batch: &Prepared,
    (seq, stored, claimed): (u64, String, String),
    now: u64,
) -> Delivered {
    tracing::error!(chain = %batch.chain, seq, "Audit chain forked");
    at.execute("UPDATE chains SET broken = 1 WHERE id = ?1", [known.id])?;
    let kept: i64 =
        at.query_row("SELECT count(*) FROM forks WHERE chain = ?1", [known.id], |row| row.get(0))?;
    if kept < FORKS_AT_MOST {
        at.execute(
            "INSERT INTO forks (chain, time, seq, stored, claimed, head)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![known.id, number(now)?, number(seq)?, stored, claimed, json(&batch.head)?],
        )?;
    }
    Ok(Err(Refusal::Fork { seq }))
}

fn insert(at: &Savepoint<'_>, chain: i64, rows: &[Row]) -> Result<(), StoreError> {
    let mut statement = at.prepare_cached(
        "INSERT INTO entries (chain, seq, link, record, time, kind, action, effect, rule, code,
                              host, method)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?;
    for row in rows {
        let record = &row.record;
        statement.execute(params![
            chain,
            number(row.seq)?,
            row.link.to_string(),
            row.text,
            number(row.time)?,
            record.kind.as_str(),
            record.action,
            record.effect,
            record.rule,
            record.code,
            row.host(),
            record.method
        ])?;
    }
    Ok(())
}

fn known(at: &Savepoint<'_>, chain: &str) -> Result<Option<Known>, StoreError> {
    let row = at
        .query_row(
            "SELECT id, public_key, last_seq, last_link, head, closed FROM chains WHERE chain = ?1",
            [chain],
            |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get::<_, String>(1)?,
                    row.get::<_, i64>(2)?,
                    row.get::<_, String>(3)?,
                    row.get::<_, String>(4)?,
                    row.get::<_, bool>(5)?,
                ))
            },
        )
        .optional()?;
    let Some((id, key, last_seq, last_link, head, closed)) = row else { return Ok(None) };
    let corrupt = |what: &str| StoreError::Corrupt(format!("{what} of chain {chain}"));
    Ok(Some(Known {
        id,
        key: PublicKey::from_hex(&key).map_err(|_| corrupt("key"))?,
        last_seq: u64::try_from(last_seq).map_err(|_| corrupt("sequence"))?,
        last_link: last_link.parse().map_err(|_| corrupt("link"))?,
        head: serde_json::from_str(&head).map_err(|_| corrupt("head"))?,
        closed,
    }))
}

fn json(head: &SignedHead) -> Result<String, StoreError> {
    serde_json::to_string(head).map_err(|error| StoreError::Corrupt(error.to_string()))
}

fn number(value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::Corrupt(format!("{value} is too large")))
}
