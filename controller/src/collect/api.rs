//! The handlers for people.

use super::problem::Problem;
use super::store::{ChainRow, Found};
use super::{CollectState, now};
use axum::Json;
use axum::extract::{Path, Query, State};
use exeat_api::messages::{
    Chain, Chains, Entries, FoundRecord, PAGE_AT_MOST, PageQuery, RECORDS_AT_MOST, RECORDS_DEFAULT,
    Records, RecordsQuery, SignedHead,
};
use exeat_audit::filter::Filter;
use exeat_audit::time;
use http::HeaderMap;
use serde_json::Value;

/// `GET /v1/records`
pub(super) async fn records(
    State(state): State<CollectState>,
    headers: HeaderMap,
    query: Result<Query<RecordsQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Records<Value>>, Problem> {
    let Query(query) = query.map_err(|error| Problem::Malformed(error.body_text()))?;
    state.identities.auditor(&headers, query.namespace.as_deref()).await?;
    let filter = Filter::parse(&query.filter, now())?;
    let last = query.last.unwrap_or(RECORDS_DEFAULT).min(RECORDS_AT_MOST);
    let found = state.store.search(filter, query.namespace, last).await?;
    Ok(Json(Records { records: found.into_iter().map(found_record).collect() }))
}

/// `GET /v1/chains`
pub(super) async fn chains(
    State(state): State<CollectState>,
    headers: HeaderMap,
    query: Result<Query<PageQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Chains>, Problem> {
    let Query(query) = query.map_err(|error| Problem::Malformed(error.body_text()))?;
    state.identities.auditor(&headers, query.namespace.as_deref()).await?;
    let limit = query.limit.unwrap_or(PAGE_AT_MOST).clamp(1, PAGE_AT_MOST);
    let after = i64::try_from(query.after.unwrap_or(0)).unwrap_or(i64::MAX);
    let rows = state.store.chains(query.namespace, after, limit).await?;
    let is_full = rows.len() == limit as usize;
    let next = rows.last().filter(|_| is_full).and_then(|row| u64::try_from(row.id).ok());
    Ok(Json(Chains { chains: rows.into_iter().map(listed).collect(), next }))
}

/// `GET /v1/chains/{id}/entries`
pub(super) async fn entries(
    State(state): State<CollectState>,
    headers: HeaderMap,
    Path(id): Path<String>,
    query: Result<Query<PageQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Entries>, Problem> {
    let Query(query) = query.map_err(|error| Problem::Malformed(error.body_text()))?;
    let chain = readable(&state, &headers, id, query.namespace).await?;
    let limit = query.limit.unwrap_or(PAGE_AT_MOST).clamp(1, PAGE_AT_MOST);
    let entries = state.store.entries(chain.id, query.after, limit).await?;
    Ok(Json(Entries { entries }))
}

/// `GET /v1/chains/{id}/head`
pub(super) async fn head(
    State(state): State<CollectState>,
    headers: HeaderMap,
    Path(id): Path<String>,
    query: Result<Query<PageQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<SignedHead>, Problem> {
    let Query(query) = query.map_err(|error| Problem::Malformed(error.body_text()))?;
    Ok(Json(readable(&state, &headers, id, query.namespace).await?.head))
}

/// The chain, if the caller may read it. A chain of another namespace does not exist for somebody
/// who may read one namespace only.
async fn readable(
    state: &CollectState,
    headers: &HeaderMap,
    id: String,
    namespace: Option<String>,
) -> Result<ChainRow, Problem> {
    state.identities.auditor(headers, namespace.as_deref()).await?;
    let chain = state.store.chain(id.clone()).await?;
    chain
        .filter(|chain| namespace.is_none_or(|namespace| namespace == chain.namespace))
        .ok_or(Problem::NoChain(id))
}

fn found_record(found: Found) -> FoundRecord<Value> {
    let record = serde_json::from_str(&found.record).unwrap_or_default();
    let Found { chain, seq, namespace, pod, .. } = found;
    FoundRecord { chain, seq, namespace, pod, record }
}

fn listed(row: ChainRow) -> Chain {
    Chain {
        chain: row.chain,
        namespace: row.namespace,
        pod: row.pod,
        public_key: row.public_key,
        entries: row.entries,
        head: row.head,
        last_seen: time::rfc3339(row.last_seen),
        closed: row.closed,
        broken: row.broken,
    }
}
