//! Headers that end at this proxy, in both directions.

use super::framing::{Violation, is_named};
use super::raw;
use super::target::{Origin, Target};
use crate::refusal::Refusal;
use bytes::Bytes;
use http::header::{
    ALT_SVC, AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_TYPE, COOKIE, EXPECT, HOST, LOCATION, MAX_FORWARDS, PROXY_AUTHORIZATION, SET_COOKIE,
    TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri, Version};
use http_body::Frame;

const HOP_BY_HOP: [HeaderName; 6] = [
    CONNECTION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// By these, frameworks and servers replace the method or the path of a request.
const REPLACING: [&str; 5] = [
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
];
/// By these, a proxy tells what it was asked. This one tells nothing, and the agent is none.
const FORWARDED: [&str; 9] = [
    "forwarded",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-forwarded-server",
    "x-forwarded-uri",
    "x-host",
    "x-original-host",
];
/// Those that say where a message ends. Another spelling of one of them is refused.
const FRAMING: [&str; 3] = ["content-length", "transfer-encoding", "host"];

/// Refuses a head whose headers would make the server do something else than what is decided on.
pub(super) fn unambiguous(headers: &HeaderMap) -> Result<(), Refusal> {
    for name in headers.keys() {
        if is_one_of(name, &REPLACING) {
            return Err(Refusal::Malformed(
                "a header replaces the method or the path of the request; ask for them directly",
            ));
        }
        if is_one_of(name, &FRAMING) && !FRAMING.contains(&name.as_str()) {
            return Err(Violation::HeaderName.into());
        }
    }
    Ok(())
}

pub(super) fn is_one_of(name: &HeaderName, names: &[&str]) -> bool {
    names.iter().any(|one| is_named(name.as_str().as_bytes(), one))
}

/// What follows a body must not be what a head decides by: where a message ends and goes, who asks,
/// and how the body is read (RFC 9110 §6.5.1).
const NO_TRAILER: [HeaderName; 15] = [
    raw::MARKER,
    HOST,
    CONTENT_LENGTH,
    TRAILER,
    EXPECT,
    PROXY_AUTHORIZATION,
    AUTHORIZATION,
    COOKIE,
    SET_COOKIE,
    CONTENT_ENCODING,
    CONTENT_TYPE,
    CONTENT_RANGE,
    ALT_SVC,
    MAX_FORWARDS,
    LOCATION,
];

fn may_trail(name: &HeaderName) -> bool {
    let is = |names: &[HeaderName]| names.iter().any(|one| is_one_of(name, &[one.as_str()]));
    !is(&NO_TRAILER)
        && !is(&HOP_BY_HOP)
        && !is_one_of(name, &REPLACING)
        && !is_one_of(name, &FORWARDED)
}

/// A frame without the trailers that are not passed on, in either direction. None where nothing is
/// left of it.
pub(super) fn without_foreign_trailers(frame: Frame<Bytes>) -> Option<Frame<Bytes>> {
    let mut trailers = match frame.into_trailers() {
        Ok(trailers) => trailers,
        Err(frame) => return Some(frame),
    };
    let foreign: Vec<HeaderName> =
        trailers.keys().filter(|name| !may_trail(name)).cloned().collect();
    for name in foreign {
        trailers.remove(name);
    }
    (!trailers.is_empty()).then(|| Frame::trailers(trailers))
}

/// The announcement of the trailers that are passed on.
fn announced(headers: &HeaderMap) -> Option<HeaderValue> {
    let names = headers
        .get_all(TRAILER)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .filter(may_trail)
        .map(|name| name.to_string());
    let names = names.collect::<Vec<_>>().join(", ");
    HeaderValue::try_from(names).ok().filter(|names| !names.is_empty())
}

/// Turns the head that the agent sent into the head that goes out, but for where it goes.
/// `length` is the body's length where it is known and belongs on the wire; `trailing`: whether
/// trailers may follow it.
pub(super) fn clean(
    parts: Parts,
    target: &Target,
    length: Option<u64>,
    trailing: bool,
) -> Request<()> {
    let Parts { method, mut headers, .. } = parts;
    let trailers =
        headers.get(TE).is_some_and(|te| te.as_bytes().eq_ignore_ascii_case(b"trailers"));
    strip_hop_by_hop(&mut headers);
    let announced = announced(&headers).filter(|_| trailing && length.is_none());
    for name in [EXPECT, CONTENT_LENGTH, PROXY_AUTHORIZATION, HOST, TRAILER, raw::MARKER] {
        headers.remove(name);
    }
    headers.remove("http2-settings");
    let forwarded: Vec<HeaderName> =
        headers.keys().filter(|name| is_one_of(name, &FORWARDED)).cloned().collect();
    for name in forwarded {
        headers.remove(name);
    }
    join_cookies(&mut headers);
    if let Some(length) = length {
        headers.insert(CONTENT_LENGTH, length.into());
    }
    if let Some(announced) = announced {
        headers.insert(TRAILER, announced);
    }
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    if target.websocket {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    }
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.headers_mut() = headers;
    request
}

/// Writes the origin and the path into a head, in the form of the HTTP version that is spoken
/// there. May be done again for another version.
///
/// # Errors
/// Only when the normalised parts do not make a URI.
pub(super) fn address<B>(
    request: &mut Request<B>,
    target: &Target,
    origin: &Origin,
    version: Version,
) -> Result<(), http::Error> {
    let path: PathAndQuery = target.path_and_query().parse()?;
    let uri = Uri::builder().path_and_query(path);
    let headers = request.headers_mut();
    headers.remove(raw::MARKER);
    let authority = target.authority.as_ref().unwrap_or(origin.authority());
    let uri = if version == Version::HTTP_2 {
        headers.remove(HOST);
        headers.remove(EXPECT);
        uri.scheme(origin.scheme(false).as_str()).authority(authority.as_bytes())
    } else {
        // Over HTTP/1 it would need a Connection header of its own, and servers do without.
        headers.remove(TE);
        headers.insert(HOST, authority.clone());
        uri
    };
    *request.uri_mut() = uri.build()?;
    *request.version_mut() = version;
    Ok(())
}

/// Cleans the head of a response. What an upstream says about the connection to it, and about
/// other ways to reach it (HTTP/3), is not for the agent.
pub(super) fn incoming(headers: &mut HeaderMap) {
    strip_hop_by_hop(headers);
    headers.remove(ALT_SVC);
}

/// Removes the headers of one hop, and those that Connection names.
fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|token| HeaderName::from_bytes(token.trim_ascii()).ok())
        // These belong to the message, whatever Connection says.
        .filter(|name| *name != HOST && *name != CONTENT_LENGTH)
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// HTTP/2 may split Cookie; HTTP/1 servers expect one (RFC 9113 §8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let cookies: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if cookies.len() < 2 {
        return;
    }
    if let Ok(joined) = HeaderValue::from_bytes(&cookies.join(&b"; "[..])) {
        headers.insert(COOKIE, joined);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Endpoint;
    use exeat_policy::normal::Host;
    use exeat_policy::reading::Readings;
    use std::sync::Arc;

    fn send(version: Version, headers: &[(&'static str, &'static str)]) -> Request<()> {
        let mut request = Request::builder().method("POST").uri("/a/../b?q=1");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let to = Endpoint { host: Host::parse("api.example.com").unwrap(), port: 8443 };
        let origin = Origin::new(true, Arc::new(to));
        let target = Target {
            path: Readings::of("/b").unwrap(),
            sent: "/b".into(),
            query: Some("q=1".into()),
            sent_as: None,
            authority: None,
            websocket: false,
        };
        let parts = request.body(()).unwrap().into_parts().0;
        let mut request = clean(parts, &target, Some(3), true);
        address(&mut request, &target, &origin, version).unwrap();
        request
    }

    #[test]
    fn what_goes_out_is_what_was_decided() {
        let sent = send(Version::HTTP_11, &[("host", "API.example.com.:8443")]);
        assert_eq!(sent.uri(), "/b?q=1");
        assert_eq!(sent.headers()[HOST], "api.example.com:8443");
        let sent = send(Version::HTTP_2, &[("host", "API.example.com.:8443")]);
        assert_eq!(sent.uri(), "https://api.example.com:8443/b?q=1");
        assert!(!sent.headers().contains_key(HOST));
    }

    #[test]
    fn headers_that_replace_the_request_are_refused() {
        let checked = |name: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static("DELETE"));
            unambiguous(&headers)
        };
        for name in [
            "x-http-method-override",
            "x_http_method_override",
            "x-http-method",
            "x-original-url",
            "x-rewrite_url",
            "content_length",
            "transfer_encoding",
        ] {
            assert!(checked(name).is_err(), "{name}");
        }
        for name in ["content-length", "x-method", "accept", "x-forwarded-for"] {
            assert!(checked(name).is_ok(), "{name}");
        }
        let sent = send(Version::HTTP_11, &[("x-forwarded-host", "other"), ("x_host", "other")]);
        assert_eq!(sent.headers().len(), 2, "{sent:?}");
    }

    #[test]
    fn one_hop_ends_here() {
        let sent = send(
            Version::HTTP_11,
            &[
                ("connection", "keep-alive, X-Secret , upgrade"),
                ("x-secret", "1"),
                ("upgrade", "h2c"),
                ("http2-settings", "AAMAAABkAAQAAP__"),
                ("te", "trailers"),
                ("keep-alive", "timeout=5"),
                ("proxy-connection", "keep-alive"),
                ("proxy-authorization", "Basic eA=="),
                ("expect", "100-continue"),
                ("content-length", "77"),
                ("accept", "*/*"),
                ("cookie", "a=1"),
                ("cookie", "b=2"),
            ],
        );
        let mut left: Vec<_> =
            sent.headers().iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect();
        left.sort();
        let want =
            ["accept: */*", "content-length: 3", "cookie: a=1; b=2", "host: api.example.com:8443"];
        assert_eq!(left, want);
    }
}
