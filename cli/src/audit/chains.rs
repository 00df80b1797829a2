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
    let mut after: Option<u64> = None;
    loop {
        let page = page(collector, &chain.chain, after, PAGE_AT_MOST).await?;
        let Some(last) = page.last().map(|entry| entry.seq) else { return Ok(()) };
        for entry in page.iter().filter(|entry| entry.seq <= chain.head.seq) {
            each(entry)?;
        }
        if last >= chain.head.seq {
            return Ok(());
        }
        after = Some(last);
    }
}

/// The entries of a chain after `after`, at most `limit`.
pub(super) async fn page(
    collector: &mut Collector,
    chain: &str,
    after: Option<u64>,
    limit: u32,
) -> Result<Vec<Entry>> {
    let query = PageQuery { namespace: collector.namespace(), after, limit: Some(limit) };
    let page: Entries = collector.get(&query.request(&paths::chain_entries(chain))).await?;
    let mut before = after;
    for entry in &page.entries {
        if before.is_some_and(|before| entry.seq <= before) {
            bail!("the collector repeats entries of the chain {chain}");
        }
        before = Some(entry.seq);
    }
    Ok(page.entries)
}
