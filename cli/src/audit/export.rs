//! `exeat audit export`: every chain, as JSON Lines on standard output.

use super::{chains, now};
use crate::connect::{Collector, ConnectArgs, block_on};
use anyhow::Result;
use exeat_api::messages::Chain;
use exeat_audit::export::{EXPORT_VERSION, Line};
use exeat_audit::time;
use std::io::{BufWriter, Write};
use std::process::ExitCode;

pub(crate) fn run(args: &ConnectArgs) -> Result<ExitCode> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    block_on(async {
        let mut collector = Collector::connect(args).await?;
        write(&mut out, &Line::Export { version: EXPORT_VERSION, time: time::rfc3339(now()) })?;
        for chain in chains::all(&mut collector).await? {
            begin(&mut out, &chain)?;
            chains::entries(&mut collector, &chain, |entry| {
                let chain = chain.chain.clone();
                write(&mut out, &Line::Entry { chain, entry: entry.clone() })
            })
            .await?;
        }
        out.flush()?;
        Ok(ExitCode::SUCCESS)
    })
}

fn begin(out: &mut impl Write, chain: &Chain) -> Result<()> {
    let Chain { chain, namespace, pod, public_key, head, .. } = chain.clone();
    write(out, &Line::Chain { chain, namespace, pod, public_key })?;
    write(out, &Line::Head { head })
}

fn write(out: &mut impl Write, line: &Line) -> Result<()> {
    serde_json::to_writer(&mut *out, line).map_err(std::io::Error::from)?;
    out.write_all(b"\n")?;
    Ok(())
}
