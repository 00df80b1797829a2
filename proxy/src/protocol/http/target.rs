//! What one request asks for: its path under every reading, and what goes on the wire.
//!
//! The host in `:authority`, in an absolute request target and in Host, and the port of each, must
//! all be the ones that the connection was made to: a connection is one name, so there is nothing
//! for one part of a request to say to the policy and another part to the server.

use super::raw;
use crate::gate::{Endpoint, METHOD_LIMIT};
use crate::refusal::{Refusal, brief};
use bytes::Bytes;
use exeat_policy::normal::{Host, Name};
use exeat_policy::pattern::Scheme;
use exeat_policy::reading::Readings;
use http::header::{CONNECTION, HOST, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Version};
use std::sync::Arc;

/// The origin (RFC 9110 §4.3.1) that a connection was made to: of every request on it.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Whether TLS was terminated.
    pub tls: bool,
    pub to: Arc<Endpoint>,
    authority: HeaderValue,
    /// Short names that mean the same host: those of a Service in the pod's search list.
    forms: Vec<Name>,
    /// The one of them that the agent's TLS asked for.
    asked: Option<Host>,
}

/// What a request asks for, and how it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// What is decided.
    pub path: Readings,
    /// The path that goes out: the agent's own, unless it was collapsed.
    pub(super) sent: String,
    /// As sent, but for odd bytes, which are percent-encoded.
    pub query: Option<String>,
    /// The bytes that path and query were sent as, where these have odd ones: see [`raw`].
    pub(super) sent_as: Option<Bytes>,
    /// The value of Host where the request calls the origin by a short name.
    pub authority: Option<HeaderValue>,
    /// The request wants to become a WebSocket.
    pub websocket: bool,
}

impl Origin {
    pub fn new(tls: bool, to: Arc<Endpoint>) -> Self {
        let authority = authority(tls, &to.host, to.port);
        Self { tls, to, authority, forms: Vec::new(), asked: None }
    }

    /// The same, that is also called by short names.
    pub fn also_called(mut self, forms: Vec<Name>) -> Self {
        self.forms = forms;
        self
    }

    /// The same, whose TLS asked for this name.
    pub fn asked_for(mut self, name: Option<&Name>) -> Self {
        self.asked = name.filter(|name| self.forms.contains(name)).cloned().map(Host::Name);
        self
    }

    /// Whether this host is the origin's, by its own name or by a short one.
    pub fn is_called(&self, host: &Host) -> bool {
        *host == self.to.host || matches!(host, Host::Name(name) if self.forms.contains(name))
    }

    /// The name that a server's certificate must be for: the one that the agent asked for.
    pub fn certified(&self) -> &Host {
        self.asked.as_ref().unwrap_or(&self.to.host)
    }

    /// `Https`, `Http`, `Wss` or `Ws`.
    pub fn scheme(&self, websocket: bool) -> Scheme {
        match (self.tls, websocket) {
            (true, false) => Scheme::Https,
            (false, false) => Scheme::Http,
            (true, true) => Scheme::Wss,
            (false, true) => Scheme::Ws,
        }
    }

    /// The value of Host and `:authority`.
    pub fn authority(&self) -> &HeaderValue {
        &self.authority
    }

    /// The same as text.
    pub fn authority_text(&self) -> &str {
        self.authority.to_str().unwrap_or_default()
    }

    /// Whether an authority means this origin. One without a port means the scheme's own. Returns how
    /// it is written where that is by a short name.
    fn check(&self, given: &[u8]) -> Result<Option<HeaderValue>, Refusal> {
        // What clients send, as a rule.
        if given == self.authority.as_bytes() {
            return Ok(None);
        }
        let given =
            std::str::from_utf8(given).map_err(|_| Refusal::Malformed("Host is not plain text"))?;
        let (host, port) = split(given)?;
        let host = Host::parse(host)
            .map_err(|error| Refusal::HostName(brief(error.to_string().as_bytes())))?;
        let port = port.unwrap_or(if self.tls { 443 } else { 80 });
        if !self.is_called(&host) || port != self.to.port {
            return Err(Refusal::HostMismatch);
        }
        Ok((host != self.to.host).then(|| authority(self.tls, &host, port)))
    }
}

impl Target {
    /// Reads a request's head.
    ///
    /// # Errors
    /// Methods that are never passed on, targets that are not paths, authorities other than the
    /// origin's, paths with control characters or too many readings.
    pub fn of(parts: &Parts, origin: &Origin) -> Result<Self, Refusal> {
        if parts.method.as_str().len() > METHOD_LIMIT {
            return Err(Refusal::Malformed("the method is longer than 32 bytes"));
        }
        if [Method::CONNECT, Method::TRACE].contains(&parts.method)
            || parts.method.as_str().eq_ignore_ascii_case("TRACK")
            || parts.method.as_str().eq_ignore_ascii_case("CONNECT")
            || parts.method.as_str().eq_ignore_ascii_case("TRACE")
        {
            return Err(Refusal::Method(brief(parts.method.as_str().as_bytes())));
        }
        let authority = check_authorities(parts, origin)?;
        let sent = match parts.uri.path() {
            "" => "/",
            path => path,
        };
        let path = match sent {
            "*" if parts.method == Method::OPTIONS => Readings::asterisk(),
            sent => Readings::of(sent).map_err(|error| Refusal::Path(error.to_string()))?,
        };
        let query = parts.uri.query().map(str::to_owned);
        let blank = |byte: u8| byte.is_ascii_control() || byte == b' ';
        if query.as_ref().is_some_and(|query| query.bytes().any(blank)) {
            return Err(Refusal::Path("the query has bytes that URLs cannot have".to_owned()));
        }
        let websocket = wants_websocket(parts)?;
        let mut target =
            Self { path, sent: sent.to_owned(), query, sent_as: None, authority, websocket };
        if parts.headers.contains_key(raw::MARKER) {
            target.sent_as = raw::sent_as(&parts.headers, &target.path_and_query());
        }
        Ok(target)
    }

    /// The same request for the path without dot segments and empty segments, where it has them and
    /// nothing else that servers read differently.
    pub fn collapsed(&self) -> Option<Self> {
        let path = self.path.collapsed()?;
        Some(Self { sent: path.first().to_owned(), path, sent_as: None, ..self.clone() })
    }

    /// The request target in origin form, or in asterisk form.
    pub fn path_and_query(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.sent),
            None => self.sent.clone(),
        }
    }
}

/// The value of Host for a scheme, without the port that the scheme means by itself.
fn authority(tls: bool, host: &Host, port: u16) -> HeaderValue {
    let default = if tls { 443 } else { 80 };
    let text = if port == default { host.to_string() } else { format!("{host}:{port}") };
    // A host is a name of letters, digits, dots and hyphens, or an address.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("invalid"))
}

/// Returns how the origin is called where that is by a short name.
fn check_authorities(parts: &Parts, origin: &Origin) -> Result<Option<HeaderValue>, Refusal> {
    let (mut named, mut called) = (false, None);
    if let Some(scheme) = parts.uri.scheme_str() {
        // HTTP/2 has a scheme on every request, HTTP/1 in the absolute form.
        if !scheme.eq_ignore_ascii_case(origin.scheme(false).as_str()) {
            return Err(Refusal::HostMismatch);
        }
    }
    if let Some(authority) = parts.uri.authority() {
        called = origin.check(authority.as_str().as_bytes())?;
        named = true;
    }
    let mut hosts = parts.headers.get_all(HOST).iter();
    if let Some(host) = hosts.next() {
        let by_header = origin.check(host.as_bytes())?;
        called = if named { called } else { by_header };
        named = true;
    }
    if hosts.next().is_some() {
        return Err(Refusal::Malformed("exactly one Host header is required"));
    }
    // Only HTTP/1.0 may leave the host out; the connection's own is the only one it can mean.
    if named || parts.version == Version::HTTP_10 {
        Ok(called)
    } else {
        Err(Refusal::Malformed("the request names no host"))
    }
}

fn split(authority: &str) -> Result<(&str, Option<u16>), Refusal> {
    let wrong = |what: &str| Refusal::HostName(what.to_owned());
    let bracket = authority.rfind(']').map_or(0, |at| at + 1);
    match authority[bracket..].find(':') {
        None => Ok((authority, None)),
        Some(at) => {
            let (host, port) = (&authority[..bracket + at], &authority[bracket + at + 1..]);
            let plain = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
            match port.parse() {
                Ok(port) if plain => Ok((host, Some(port))),
                _ => Err(wrong("the port is not a number")),
            }
        }
    }
}

fn wants_websocket(parts: &Parts) -> Result<bool, Refusal> {
    let mut upgrades = parts.headers.get_all(UPGRADE).iter();
    let Some(first) = upgrades.next() else { return Ok(false) };
    let websocket = first.as_bytes().trim_ascii().eq_ignore_ascii_case(b"websocket");
    if !websocket || !lists(&parts.headers, "upgrade") {
        // Any other upgrade (h2c among them) is not passed on, and the request stays a request.
        return Ok(false);
    }
    let whole = parts.version == Version::HTTP_11
        && parts.method == Method::GET
        && upgrades.next().is_none()
        && !parts.headers.contains_key(http::header::CONTENT_LENGTH)
        && !parts.headers.contains_key(http::header::TRANSFER_ENCODING);
    if whole {
        Ok(true)
    } else {
        Err(Refusal::Malformed("a WebSocket upgrade is a GET of HTTP/1.1 without a body"))
    }
}

/// Whether Connection lists a token.
fn lists(headers: &HeaderMap, token: &str) -> bool {
    headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .any(|listed| listed.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn origin(text: &str) -> Origin {
        let (host, port) = text.rsplit_once(' ').unwrap();
        let to = Endpoint { host: Host::parse(host).unwrap(), port: port.parse().unwrap() };
        Origin::new(port == "443", Arc::new(to))
    }

    fn of(origin: &Origin, uri: &str, hosts: &[&str]) -> Result<Target, Refusal> {
        let mut request = Request::builder().uri(uri);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        Target::of(&request.body(()).unwrap().into_parts().0, origin)
    }

    #[test]
    fn one_origin_has_one_name() {
        for (at, uri, hosts) in [
            ("api.example.com 443", "/a", &["api.example.com"][..]),
            ("api.example.com 443", "/a", &["API.Example.COM."]),
            ("api.example.com 443", "/a", &["api.example.com:443"]),
            ("api.example.com 8443", "/a", &["api.example.com:8443"]),
            ("api.example.com 443", "https://api.example.com/a", &["api.example.com"]),
            ("api.example.com 443", "https://api.example.com/a", &[]),
            ("203.0.113.7 80", "/a", &["203.0.113.7"]),
            ("[2001:db8::1] 80", "/a", &["[2001:DB8:0::1]:80"]),
        ] {
            assert_eq!(of(&origin(at), uri, hosts).unwrap().sent, "/a", "{at} {uri} {hosts:?}");
        }
    }

    #[test]
    fn other_names_are_refused() {
        for (uri, hosts) in [
            ("/", &["evil.example.com"][..]),
            ("/", &["api.example.com.evil.com"]),
            ("/", &["api.example.com:444"]),
            ("/", &["api.example.com:80"]),
            ("/", &["203.0.113.7"]),
            ("/", &["api.example.com", "evil.example.com"]),
            ("/", &["api.example.com", "api.example.com"]),
            ("https://evil.example.com/", &["api.example.com"]),
            ("https://api.example.com/", &["evil.example.com"]),
            ("http://api.example.com/", &["api.example.com"]),
            ("https://user@api.example.com/", &["api.example.com"]),
            ("/", &["user@api.example.com"]),
            ("/", &["api.example.com:"]),
            ("/", &["api.example.com:+443"]),
            ("/", &["api.example.com:443:443"]),
            ("/", &["api.example.com/x"]),
            ("/", &["api.example.com, evil.com"]),
            ("/", &[""]),
            ("/", &[]),
        ] {
            let refused = of(&origin("api.example.com 443"), uri, hosts);
            assert!(refused.is_err(), "{uri} {hosts:?}");
        }
    }

    #[test]
    fn a_path_goes_out_as_it_came() {
        let origin = origin("api.example.com 443");
        let target = |uri| of(&origin, uri, &["api.example.com"]);
        for uri in [
            "/a/%2e%2e/b?q=%2e",
            "//a//b",
            "/@types%2fnode",
            "/a;b",
            "/%252e",
            "/a\\b",
            "/caf\u{e9}?q=\u{e9}",
            "/%E9?",
            "/[a]{b}|^?[]{}|^\\",
        ] {
            assert_eq!(target(uri).unwrap().path_and_query(), uri);
        }
        assert_eq!(target("https://api.example.com").unwrap().path_and_query(), "/");
        for uri in ["/%00", "/%0d%0a", "*"] {
            assert!(target(uri).is_err(), "{uri}");
        }
    }

    #[test]
    fn only_dots_and_slashes_are_ever_rewritten() {
        let origin = origin("api.example.com 443");
        let collapsed = |uri| of(&origin, uri, &["api.example.com"]).unwrap().collapsed();
        assert_eq!(collapsed("/a//%2e%2e/b?q=//").unwrap().path_and_query(), "/b?q=//");
        assert_eq!(collapsed("/a//b%2Fc"), None);
    }

    #[test]
    fn a_server_as_a_whole_is_asked_for_by_options() {
        let request = Request::builder().method("OPTIONS").uri("*").header(HOST, "api.example.com");
        let parts = request.body(()).unwrap().into_parts().0;
        let target = Target::of(&parts, &origin("api.example.com 443")).unwrap();
        assert_eq!(target.path_and_query(), "*");
        assert_eq!(target.path, Readings::asterisk());
    }

    #[test]
    fn some_methods_are_never_passed_on() {
        for method in ["TRACE", "TRACK", "trace"] {
            let request =
                Request::builder().method(method).uri("/").header(HOST, "api.example.com");
            let parts = request.body(()).unwrap().into_parts().0;
            let refused = Target::of(&parts, &origin("api.example.com 443")).unwrap_err();
            assert_eq!(refused, Refusal::Method(method.to_owned()));
        }
    }

    #[test]
    fn only_a_plain_websocket_upgrade_is_one() {
        let origin = origin("api.example.com 443");
        let of = |upgrade: &str, connection: &str, method: &str| {
            let request = Request::builder()
                .method(method)
                .uri("/")
                .header(HOST, "api.example.com")
                .header(UPGRADE, upgrade)
                .header(CONNECTION, connection);
            Target::of(&request.body(()).unwrap().into_parts().0, &origin).map(|t| t.websocket)
        };
        assert_eq!(of("WebSocket", "keep-alive, Upgrade", "GET"), Ok(true));
        assert_eq!(of("h2c", "Upgrade, HTTP2-Settings", "GET"), Ok(false));
        assert_eq!(of("websocket", "keep-alive", "GET"), Ok(false));
        assert!(of("websocket", "upgrade", "POST").is_err());
    }
}
