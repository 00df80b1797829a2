//! `exeat audit`: records that match a filter, the last ones.

use super::now;
use crate::connect::{Collector, ConnectArgs, block_on};
use crate::table::Table;
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use exeat_api::messages::{FoundRecord, Records, RecordsQuery};
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

    /// How many records, counted from the newest
    #[arg(long, default_value_t = 50, value_name = "NUMBER")]
    last: usize,

    /// A table for people, which leaves out search-list look-ups, or one JSON object a line
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

/// A record in its place; the form of `-o json` too.
type Found = FoundRecord<Record>;

/// What resolvers ask along their search list; nothing of it leaves, and it is most of what a
/// person would have to read.
const SEARCH_LIST: &str = "-code:SearchDomain";

pub(crate) fn run(args: &ShowArgs) -> Result<ExitCode> {
    // Read here too, so that a mistake is named before anything is asked.
    let filter = Filter::parse(&args.filter, now())?;
    let asks_by_code = filter.terms().iter().any(|one| matches!(one.term, Term::Code(_)));
    let fold = args.output == Output::Table && !asks_by_code;
    let expression =
        if fold { format!("{} {SEARCH_LIST}", args.filter) } else { args.filter.clone() };
    let filter = Filter::parse(&expression, now())?;
    let found = match &args.file {
        Some(file) => search_file(file, &filter, args)?,
        None => block_on(search_cluster(args, &expression))?,
    };
    let mut out = BufWriter::new(std::io::stdout().lock());
    match args.output {
        Output::Json => {
            for record in &found {
                serde_json::to_writer(&mut out, record).map_err(std::io::Error::from)?;
                out.write_all(b"\n")?;
            }
        }
        Output::Table => table(&found).write(&mut out)?,
    }
    out.flush()?;
    if found.is_empty() && args.output == Output::Table {
        eprintln!("No records match.");
    }
    if fold {
        eprintln!(
            "Look-ups along the resolver's search list are left out; --filter code:SearchDomain shows them."
        );
    }
    Ok(ExitCode::SUCCESS)
}

async fn search_cluster(args: &ShowArgs, expression: &str) -> Result<Vec<Found>> {
    let mut collector = Collector::connect(&args.connect).await?;
    let query = RecordsQuery {
        filter: expression.to_owned(),
        last: Some(u32::try_from(args.last).unwrap_or(u32::MAX)),
        namespace: collector.namespace(),
    };
    let answer: Records<Record> = collector.get(&query.request()).await?;
    Ok(answer.records)
}

fn search_file(file: &Path, filter: &Filter, args: &ShowArgs) -> Result<Vec<Found>> {
    let source =
        File::open(file).with_context(|| format!("{} cannot be opened", file.display()))?;
    let mut found = Vec::new();
    let mut owner = (String::new(), String::new());
    export::read(BufReader::new(source), |_, line| {
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
    found.sort_by(|a, b| a.record.time.cmp(&b.record.time));
    let surplus = found.len().saturating_sub(args.last);
    found.drain(..surplus);
    Ok(found)
}

fn table(found: &[Found]) -> Table {
    let mut table = Table::new(&[
        "TIME",
        "NAMESPACE",
        "POD",
        "KIND",
        "ACTION",
        "EFFECT",
        "METHOD",
        "RESOURCE",
        "CODE",
        "RULE",
        "DETAIL",
    ]);
    for FoundRecord { namespace, pod, record, .. } in found {
        let text = |field: &Option<String>| field.clone().unwrap_or_else(|| "-".to_owned());
        let effect = match &record.observed {
            Some(observed) => format!("{} (observed {observed})", text(&record.effect)),
            None => text(&record.effect),
        };
        table.row([
            record.time.clone(),
            namespace.clone(),
            pod.clone(),
            record.kind.as_str().to_owned(),
            text(&record.action),
            effect,
            text(&record.method),
            text(&record.resource),
            text(&record.code),
            text(&record.rule),
            detail(record),
        ]);
    }
    table
}

fn detail(record: &Record) -> String {
    let mut parts = Vec::new();
    if let Some(status) = record.status {
        parts.push(format!("status {status}"));
    }
    if let Some(bytes) = record.bytes_out {
        parts.push(format!("{bytes} bytes out"));
    }
    if let Some(bytes) = record.bytes_in {
        parts.push(format!("{bytes} bytes in"));
    }
    if let Some(count) = record.count {
        parts.push(format!("{count} packets"));
    }
    if let Some(reason) = &record.reason {
        parts.push(reason.clone());
    }
    if parts.is_empty() { "-".to_owned() } else { parts.join(", ") }
}
