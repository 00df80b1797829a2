//! `exeat audit`: records that match a filter, the last ones.

use super::acts::{Acts, Found, Search};
use super::{chains, now, rows};
use crate::connect::{Collector, ConnectArgs, block_on};
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use exeat_api::messages::{Entry, FoundRecord, PAGE_AT_MOST, Records, RecordsQuery};
use exeat_audit::export::{self, Line};
use exeat_audit::filter::{Filter, Subject, Term};
use exeat_audit::record::Record;
use exeat_audit::verify::read_record;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Terms `key:value` that all must hold, `-key:value` that must not: "effect:Deny -code:SearchDomain"
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "EXPRESSION",
        allow_hyphen_values = true
    )]
    filter: String,

    /// How many lines, counted from the newest
    #[arg(long, default_value_t = 50, value_name = "NUMBER")]
    last: usize,

    /// A table for people with one line an act, which leaves out search-list look-ups, or every
    /// record as one JSON object a line
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,

    /// Read an export instead of asking the cluster
    #[arg(long, value_name = "EXPORT.jsonl")]
    file: Option<PathBuf>,

    #[command(flatten)]
    connect: ConnectArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Table,
    Json,
}

/// Pages of chains that are read for outcomes that were not found.
const PAGES_AT_MOST: usize = 50;

/// What resolvers ask along their search list; nothing of it leaves, and it is most of what a
/// person would have to read.
const SEARCH_LIST: &str = "-code:SearchDomain";

pub(crate) fn run(args: &ShowArgs) -> Result<ExitCode> {
    // Read here too, so that a mistake is named before anything is asked.
    let filter = Filter::parse(&args.filter, now())?;
    let asks_by_code = filter.terms().iter().any(|one| matches!(one.term, Term::Code(_)));
    let leaves_out = args.output == Output::Table && !asks_by_code;
    let expression =
        if leaves_out { format!("{} {SEARCH_LIST}", args.filter) } else { args.filter.clone() };
    match args.output {
        Output::Json => json(args, &expression)?,
        Output::Table => table(args, &expression)?,
    }
    if leaves_out {
        eprintln!(
            "Look-ups along the resolver's search list are left out; --filter code:SearchDomain shows them."
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Every record that matches, as it was written.
fn json(args: &ShowArgs, expression: &str) -> Result<()> {
    let found = match &args.file {
        Some(file) => search_file(file, expression, args, args.last)?,
        None => block_on(async {
            let mut collector = Collector::connect(&args.connect).await?;
            search_cluster(&mut collector, expression, args.last).await
        })?,
    };
    let mut out = BufWriter::new(std::io::stdout().lock());
    for record in &found {
        serde_json::to_writer(&mut out, record).map_err(std::io::Error::from)?;
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

/// The acts of the records that match.
fn table(args: &ShowArgs, expression: &str) -> Result<()> {
    // An act has at most two records: these hold as many acts as were asked for.
    let records = args.last.saturating_mul(2);
    let acts = match &args.file {
        Some(file) => {
            let mut acts = Acts::of(search_file(file, expression, args, records)?, args.last);
            complete_from_file(&mut acts, file)?;
            acts
        }
        None => block_on(async {
            let mut collector = Collector::connect(&args.connect).await?;
            let found = search_cluster(&mut collector, expression, records).await?;
            let mut acts = Acts::of(found, args.last);
            complete_from_cluster(&mut acts, &mut collector).await?;
            Ok(acts)
        })?,
    };
    let mut out = BufWriter::new(std::io::stdout().lock());
    rows::table(acts.as_slice()).write(&mut out)?;
    out.flush()?;
    if acts.as_slice().is_empty() {
        eprintln!("No records match.");
    }
    Ok(())
}

async fn search_cluster(
    collector: &mut Collector,
    expression: &str,
    last: usize,
) -> Result<Vec<Found>> {
    let query = RecordsQuery {
        filter: expression.to_owned(),
        last: Some(u32::try_from(last).unwrap_or(u32::MAX)),
        namespace: collector.namespace(),
    };
    let answer: Records<Record> = collector.get(&query.request()).await?;
    Ok(answer.records)
}

/// Looks in the chains for the outcomes and intents that were not found.
async fn complete_from_cluster(acts: &mut Acts, collector: &mut Collector) -> Result<()> {
    let mut pages = PAGES_AT_MOST;
    for Search { chain, after, ids } in acts.searches() {
        for id in ids.into_iter().take(pages) {
            pages -= 1;
            let after = id.checked_sub(1);
            for entry in chains::page(collector, &chain, after, 1).await? {
                read(acts, &chain, &entry)?;
            }
        }
        let mut after = after;
        while acts.is_waiting(&chain) && pages > 0 {
            pages -= 1;
            let page = chains::page(collector, &chain, after, PAGE_AT_MOST).await?;
            for entry in &page {
                read(acts, &chain, entry)?;
            }
            after = page.last().map(|entry| entry.seq);
            if page.len() < PAGE_AT_MOST as usize {
                acts.read_all(&chain);
            }
        }
    }
    Ok(())
}

fn complete_from_file(acts: &mut Acts, file: &Path) -> Result<()> {
    let searches = acts.searches();
    if searches.is_empty() {
        return Ok(());
    }
    export::read(open(file)?, |_, line| match line {
        Line::Entry { chain, entry } => {
            read(acts, &chain, &entry).map_err(|error| error.to_string())
        }
        Line::Export { .. } | Line::Chain { .. } | Line::Head { .. } => Ok(()),
    })?;
    searches.iter().for_each(|search| acts.read_all(&search.chain));
    Ok(())
}

fn read(acts: &mut Acts, chain: &str, entry: &Entry) -> Result<()> {
    let record = read_record(&entry.record).map_err(anyhow::Error::msg)?;
    acts.read(chain, entry.seq, &record);
    Ok(())
}

fn search_file(file: &Path, expression: &str, args: &ShowArgs, last: usize) -> Result<Vec<Found>> {
    let filter = Filter::parse(expression, now())?;
    let mut found = Vec::new();
    let mut owner = (String::new(), String::new());
    export::read(open(file)?, |_, line| {
        match line {
            Line::Chain { namespace, pod, .. } => owner = (namespace, pod),
            Line::Entry { chain, entry } => {
                let record = read_record(&entry.record)?;
                let (namespace, pod) = &owner;
                let in_scope =
                    args.connect.namespace.as_ref().is_none_or(|wanted| wanted == namespace);
                if in_scope && filter.matches(Subject { record: &record, namespace, pod }) {
                    let (namespace, pod) = owner.clone();
                    found.push(FoundRecord { chain, seq: entry.seq, namespace, pod, record });
                }
            }
            Line::Export { .. } | Line::Head { .. } => {}
        }
        Ok(())
    })?;
    // Stable: records of one moment stay in the order of their chain. Their time sorts as text.
    found.sort_by(|a, b| a.record.latest().cmp(b.record.latest()));
    found.drain(..found.len().saturating_sub(last));
    Ok(found)
}

fn open(file: &Path) -> Result<BufReader<File>> {
    let source =
        File::open(file).with_context(|| format!("{} cannot be opened", file.display()))?;
    Ok(BufReader::new(source))
}
