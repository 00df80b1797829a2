//! What the proxy would say, from the same crates: the decision, then the content.

use super::case::Request;
use anyhow::{Context, Result, bail, ensure};
use exeat_content::{Found, Media, Scan, What, scan_head};
use exeat_policy::normal::{Host, Name};
use exeat_policy::pattern::Scheme;
use exeat_policy::reading::Readings;
use exeat_policy::{Code, Decision, Intent, Policies, RecordType};
use http::Uri;
use std::path::Path;

/// What became of a case.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) verdict: exeat_policy::Verdict,
    pub(super) code: Code,
    pub(super) rule: Option<String>,
    pub(super) reason: String,
    pub(super) detector: Option<String>,
    pub(super) pattern: Option<usize>,
    pub(super) at: Option<String>,
}

impl From<&Decision> for Verdict {
    fn from(decision: &Decision) -> Self {
        Self {
            verdict: decision.verdict,
            code: decision.code,
            rule: decision.rule.as_ref().map(ToString::to_string),
            reason: decision.reason.to_string(),
            detector: None,
            pattern: None,
            at: None,
        }
    }
}

impl Verdict {
    /// The act was allowed, and something in it is not.
    fn denied(self, code: Code, reason: String) -> Self {
        Self { verdict: exeat_policy::Verdict::Deny, code, reason, ..self }
    }

    fn found(self, found: &Found) -> Self {
        let (detector, pattern) = match &found.what {
            What::Detector(name) => (Some(name.clone()), None),
            What::Pattern(index) | What::BodyPattern(index) => (None, Some(*index)),
        };
        let at = Some(found.place.clone());
        Self { detector, pattern, at, ..self.denied(found.code(), found.reason()) }
    }
}

/// # Errors
/// When the request is none that could be sent.
pub(super) fn of_request(
    policies: &Policies,
    request: &Request,
    directory: &Path,
) -> Result<Verdict> {
    let uri: Uri = request.url.parse().with_context(|| format!("url {:?}", request.url))?;
    let (scheme, host, port) = place(&uri)?;
    ensure!(
        matches!(scheme, Scheme::Http | Scheme::Https | Scheme::Ws | Scheme::Wss),
        "url: the scheme of a request is http, https, ws or wss"
    );
    let readings = Readings::of(uri.path()).context("url: the path is refused")?;
    let decide = |path: &Readings| {
        let (host, method) = (&host, request.method.as_str());
        policies.decide(&Intent::Request { scheme, host, port, path, method })
    };
    let mut decision = decide(&readings);
    if !decision.allows()
        && let Some(collapsed) = readings.collapsed()
    {
        // Where no rule allows every reading, the one that all servers read alike is asked for.
        let instead = decide(&collapsed);
        decision = if instead.allows() { instead } else { decision };
    }
    let verdict = Verdict::from(&decision);
    let rules = &decision.obligations.deny;
    if !decision.allows() || rules.is_empty() || decision.observing {
        return Ok(verdict);
    }
    if matches!(scheme, Scheme::Ws | Scheme::Wss) {
        let reason = "what a WebSocket carries is not read, and a rule speaks of it".to_owned();
        return Ok(verdict.denied(Code::Encoding, reason));
    }
    let headers: Vec<(String, &[u8])> = request
        .headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.as_bytes()))
        .collect();
    let lines = || headers.iter().map(|(name, value)| (name.as_str(), *value));
    let query = uri.query().map(str::as_bytes);
    let body = request.body(directory)?;
    let scanned = scan_head(rules, uri.path().as_bytes(), query, lines()).and_then(|found| {
        if found.is_some() {
            return Ok(found);
        }
        let mut scan = Scan::new(rules, &Media::from_headers(lines()));
        match scan.push(&body)? {
            Some(found) => Ok(Some(found.clone())),
            None => scan.finish(),
        }
    });
    Ok(match scanned {
        Ok(None) => verdict,
        Ok(Some(found)) => verdict.found(&found),
        Err(error) => verdict.denied(Code::Encoding, error.to_string()),
    })
}

/// # Errors
/// When `to` is not `tcp://host:port` or `tls://host:port`.
pub(super) fn of_connection(policies: &Policies, to: &str) -> Result<Verdict> {
    let uri: Uri = to.parse().with_context(|| format!("connect {to:?}"))?;
    let (scheme, host, port) = place(&uri)?;
    ensure!(
        matches!(scheme, Scheme::Tcp | Scheme::Tls),
        "connect: write tcp://HOST:PORT or tls://HOST:PORT"
    );
    Ok(Verdict::from(&policies.decide(&Intent::Connect { scheme, host: &host, port })))
}

/// # Errors
/// When `name` is no name, or the type is not known.
pub(super) fn of_name(policies: &Policies, name: &str, kind: Option<&str>) -> Result<Verdict> {
    let parsed = Name::parse(name).with_context(|| format!("resolve {name:?}"))?;
    let record_type = match kind {
        None => RecordType::A,
        Some(kind) => match RecordType::named(kind) {
            RecordType::Other => bail!("recordType {kind:?} is not known"),
            known => known,
        },
    };
    Ok(Verdict::from(&policies.decide(&Intent::Resolve { name: &parsed, record_type })))
}

/// Scheme, host and port of a URL.
fn place(uri: &Uri) -> Result<(Scheme, Host, u16)> {
    let schemes = [
        ("http", Scheme::Http),
        ("https", Scheme::Https),
        ("ws", Scheme::Ws),
        ("wss", Scheme::Wss),
        ("tcp", Scheme::Tcp),
        ("tls", Scheme::Tls),
    ];
    let scheme = uri.scheme_str().unwrap_or_default();
    let scheme = schemes.into_iter().find(|(name, _)| *name == scheme);
    let (_, scheme) = scheme.with_context(|| format!("{uri} has no scheme that is known"))?;
    let host = uri.host().with_context(|| format!("{uri} has no host"))?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let host = Host::parse(bare).with_context(|| format!("{host} is no host"))?;
    let port = uri.port_u16().or(scheme.default_port());
    Ok((scheme, host, port.with_context(|| format!("{uri} has no port"))?))
}
