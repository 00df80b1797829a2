//! Questions that a rule lists, asked outside: for services, mail servers, texts and the like.
//!
//! The name leaves the pod, so the question is an intent like any other: decided, recorded before it
//! goes out, its outcome after. What comes back is cut to the records of the type that was asked
//! for, under the name that was asked for. Addresses and keys that such records carry are taken
//! out: connections are made by name, and their ClientHello is read. A name in an answer is only a
//! name; connecting to it needs a rule of its own.

use super::answer::Question;
use exeat_policy::RecordType;
use exeat_policy::normal::Name;
use futures::future::BoxFuture;
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::SVCB;
use hickory_proto::rr::rdata::svcb::{SvcParamKey, SvcParamValue};
use hickory_proto::rr::{RData, Record};
use std::time::Duration;
use thiserror::Error;
use tokio::time::timeout;

/// Longest that one question takes.
const LIMIT: Duration = Duration::from_secs(8);
/// Most records of one answer, and most bytes of all of them, in the form of the wire.
const RECORDS: usize = 64;
const BYTES: usize = 16 * 1024;
/// Seconds that a client may keep an answer, at most: a change of policy takes no longer.
const TTL: u32 = 30;

/// Who finds records outside.
pub trait Records: Send + Sync {
    /// Records of a name, of this type, perhaps among others.
    fn records<'a>(
        &'a self,
        name: &'a Name,
        of: RecordType,
    ) -> BoxFuture<'a, Result<Vec<Record>, NoRecords>>;
}

/// Why there are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NoRecords {
    #[error("the name does not exist")]
    NoName,
    #[error("the name has no records of this type")]
    NoData,
    #[error("the DNS servers did not answer")]
    Unanswered,
}

/// Completes an answer with what is found outside.
///
/// # Errors
/// When nobody answers in time; the answer says so then.
pub(super) async fn complete(
    outside: &dyn Records,
    question: &Question,
    message: &mut Message,
) -> Result<(), NoRecords> {
    let Some(name) = &question.name else { return Err(NoRecords::NoName) };
    let found = timeout(LIMIT, outside.records(name, question.record_type)).await;
    let (code, result) = match found.unwrap_or(Err(NoRecords::Unanswered)) {
        Ok(records) => {
            add(question, message, records);
            (ResponseCode::NoError, Ok(()))
        }
        Err(NoRecords::NoData) => (ResponseCode::NoError, Ok(())),
        Err(NoRecords::NoName) => (ResponseCode::NXDomain, Ok(())),
        Err(unanswered) => (ResponseCode::ServFail, Err(unanswered)),
    };
    message.metadata.response_code = code;
    result
}

fn add(question: &Question, message: &mut Message, records: Vec<Record>) {
    let wanted = |record: &Record| record.record_type().to_string() == question.asked_type;
    let owner = question.owner();
    let mut room = BYTES;
    for record in records.into_iter().filter(wanted).take(RECORDS) {
        let Some(data) = without_addresses(record.data) else { continue };
        let record = Record::from_rdata(owner.clone(), record.ttl.min(TTL), data);
        let Some(left) = size(&record).and_then(|size| room.checked_sub(size)) else { return };
        room = left;
        message.add_answer(record);
    }
}

/// Bytes of a record as it is sent, without compression of names.
fn size(record: &Record) -> Option<usize> {
    use hickory_proto::serialize::binary::BinEncodable;
    record.to_bytes().ok().map(|bytes| bytes.len())
}

/// RFC 9460: the addresses of servers, and the keys by which a ClientHello hides its name, are taken
/// out. A record for which they are mandatory says nothing without them.
fn without_addresses(data: RData) -> Option<RData> {
    match data {
        RData::SVCB(svcb) => plain(svcb).map(RData::SVCB),
        RData::HTTPS(mut https) => {
            https.0 = plain(https.0)?;
            Some(RData::HTTPS(https))
        }
        other => Some(other),
    }
}

fn plain(mut svcb: SVCB) -> Option<SVCB> {
    let taken = |key: &SvcParamKey| {
        matches!(key, SvcParamKey::Ipv4Hint | SvcParamKey::Ipv6Hint | SvcParamKey::EchConfigList)
    };
    let demands = |value: &SvcParamValue| match value {
        SvcParamValue::Mandatory(keys) => keys.0.iter().any(taken),
        _ => false,
    };
    if svcb.svc_params.iter().any(|(_, value)| demands(value)) {
        return None;
    }
    svcb.svc_params.retain(|(key, _)| !taken(key));
    Some(svcb)
}

#[cfg(test)]
mod tests;
