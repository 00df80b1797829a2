//! The agent's questions that a rule lists, asked by the proxy's own resolver.

use crate::dial::{ResolveError, Resolver};
use crate::dns::{NoRecords, Records};
use exeat_policy::RecordType;
use exeat_policy::normal::Name;
use futures::future::BoxFuture;
use hickory_proto::rr::Record;

/// The proxy's resolver, asked for types of records that rules list.
pub(super) struct Outside(pub(super) Resolver);

impl Records for Outside {
    fn records<'a>(
        &'a self,
        name: &'a Name,
        of: RecordType,
    ) -> BoxFuture<'a, Result<Vec<Record>, NoRecords>> {
        Box::pin(async move {
            let of = of.as_str().parse().map_err(|_| NoRecords::NoData)?;
            self.0.records(name, of).await.map_err(|error| match error {
                ResolveError::NoName => NoRecords::NoName,
                ResolveError::NotFound => NoRecords::NoData,
                ResolveError::Unanswered | ResolveError::Setup(_) => NoRecords::Unanswered,
            })
        })
    }
}
