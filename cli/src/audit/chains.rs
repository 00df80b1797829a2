//! Reads chains page by page.

use crate::connect::Collector;
use anyhow::{Result, bail};
use exeat_api::messages::{Chain, Chains, Entries, Entry, PAGE_AT_MOST, PageQuery};
use exeat_api::paths;

/// Every chain that the caller may read.
pub(super) async fn all(collector: &mut Collector) -> Result<Vec<Chain>> {
    let mut chains = Vec::new();
    let mut after = 0;
    loop {
        let query = PageQuery { namespace: collector.namespace(), after: Some(after), limit: None };
        let page: Chains = collector.get(&query.request(paths::CHAINS)).await?;
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
    chain: &Chain,
    mut each: impl FnMut(&Entry) -> Result<()>,
) -> Result<()> {
    let path = paths::chain_entries(&chain.chain);
    let mut after: Option<u64> = None;
    loop {
        let namespace = collector.namespace();
        let query = PageQuery { namespace, after, limit: Some(PAGE_AT_MOST) };
        let page: Entries = collector.get(&query.request(&path)).await?;
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
