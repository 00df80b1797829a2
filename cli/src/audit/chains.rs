//! Reads chains page by page.

use super::{ChainInfo, ChainPage, EntryPage};
use crate::connect::Collector;
use anyhow::{Result, bail};
use exeat_audit::chain::Entry;

/// Every chain that the caller may read.
pub(super) async fn all(collector: &mut Collector) -> Result<Vec<ChainInfo>> {
    let mut chains = Vec::new();
    let mut after = 0;
    loop {
        let path = collector.scoped(&format!("/v1/chains?after={after}"));
        let page: ChainPage = collector.get(&path).await?;
        chains.extend(page.chains);
        match page.next {
            Some(next) if next > after => after = next,
            _ => return Ok(chains),
        }
    }
}

/// The entries up to the listed head; what came after it is for the next time.
pub(super) async fn entries(
    collector: &mut Collector,
    chain: &ChainInfo,
    mut each: impl FnMut(&Entry) -> Result<()>,
) -> Result<()> {
    let mut after: Option<u64> = None;
    loop {
        let after_term = after.map_or_else(String::new, |after| format!("after={after}&"));
        let path = format!("/v1/chains/{}/entries?{after_term}limit=1000", chain.chain);
        let page: EntryPage = collector.get(&collector.scoped(&path)).await?;
        let Some(last) = page.entries.last().map(|entry| entry.seq) else { return Ok(()) };
        if after.is_some_and(|after| last <= after) {
            bail!("the collector repeats entries of the chain {}", chain.chain);
        }
        for entry in page.entries.iter().filter(|entry| entry.seq <= chain.head.seq) {
            each(entry)?;
        }
        if last >= chain.head.seq {
            return Ok(());
        }
        after = Some(last);
    }
}
