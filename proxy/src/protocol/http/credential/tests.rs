use super::*;
use exeat_policy::credential::{Placeholder, SecretKey};

fn lines(all: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in all {
        headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    headers
}

#[test]
fn a_placeholder_is_taken_out_of_its_own_line_alone() {
    let is = |text: &str| within(text, "Bearer ", "") == Some("ph");
    for (headers, presented) in [
        (lines(&[]), Presented::Nothing),
        (lines(&[("x-other", "Bearer ph")]), Presented::Nothing),
        (lines(&[("x-key", "Bearer ph")]), Presented::Placeholder),
        (lines(&[("x-key", "bearer ph")]), Presented::Placeholder),
        (lines(&[("x-key", "ph")]), Presented::Other),
        (lines(&[("x-key", "Bearer ph ")]), Presented::Other),
        (lines(&[("x-key", "Bearer phx")]), Presented::Other),
        (lines(&[("x-key", "Bearer ph"), ("x-key", "Bearer ph")]), Presented::Other),
        (lines(&[("x-key", "Bearer ph"), ("x_key", "own")]), Presented::Other),
        (lines(&[("x_key", "Bearer ph")]), Presented::Other),
    ] {
        let mut left = headers.clone();
        assert_eq!(take_header(&mut left, "x-key", is), presented, "{headers:?}");
        assert_eq!(left.len() < headers.len(), presented == Presented::Placeholder, "{headers:?}");
    }
}

#[test]
fn a_placeholder_is_taken_out_of_its_own_parameter_alone() {
    for (query, presented, left) in [
        (None, Presented::Nothing, None),
        (Some("a=1"), Presented::Nothing, Some("a=1")),
        (Some("key=ph"), Presented::Placeholder, None),
        (Some("a=1&key=ph&b"), Presented::Placeholder, Some("a=1&b")),
        (Some("a=1&k%65y=p%68"), Presented::Placeholder, Some("a=1")),
        (Some("key=ph&key=ph"), Presented::Other, Some("key=ph&key=ph")),
        (Some("key=own"), Presented::Other, Some("key=own")),
        (Some("key"), Presented::Other, Some("key")),
        (Some("a=1;key=ph"), Presented::Nothing, Some("a=1;key=ph")),
    ] {
        let mut have = query.map(str::to_owned);
        assert_eq!(take_parameter(&mut have, "key", |text| text == "ph"), presented, "{query:?}");
        assert_eq!(have.as_deref(), left, "{query:?}");
    }
}

#[test]
fn passwords_are_read_as_basic_writes_them() {
    assert_eq!(password("Basic Ym90OnBoOng="), Some("ph:x".to_owned()));
    assert_eq!(password("basic Ym90OnBo"), Some("ph".to_owned()));
    assert_eq!(password("Bearer Ym90OnBo"), None);
    assert_eq!(password("Basic Ym90"), None);
}

fn injection(slot: Slot) -> Injection {
    let secret = SecretKey { namespace: "n".into(), name: "s".into(), key: "k".into() };
    assert!(Placeholder::of("seed", &secret).is_some());
    let credential = Credential {
        secret,
        slot,
        placeholder: PlaceholderUse::Optional,
        env: None,
        host: "api.example.com".into(),
    };
    let value = exeat_api::credentials::Value::of(b"value&of+it").unwrap();
    Injection { credential: Arc::new(credential), secret: Arc::new(Secret::new(value)) }
}

fn sent(slot: Slot, uri: &str, all: &[(&'static str, &str)]) -> Request<()> {
    let mut request = Request::new(());
    *request.uri_mut() = uri.parse().unwrap();
    *request.headers_mut() = lines(all);
    let injection = injection(slot);
    injection.put(&mut request).unwrap();
    // What is sent again is the same.
    injection.put(&mut request).unwrap();
    assert_eq!(request.headers()[ACCEPT_ENCODING], "identity");
    assert!(!request.headers().contains_key(RANGE));
    request
}

#[test]
fn the_value_stands_alone_in_its_place() {
    let header = Slot::Header { name: "x-key".into(), before: "T ".into(), after: ";".into() };
    let own =
        [("x-key", "own"), ("x_key", "own"), ("range", "bytes=3-"), ("accept-encoding", "br")];
    let request = sent(header, "/a?key=own", &own);
    assert_eq!(request.headers()["x-key"], "T value&of+it;");
    assert!(request.headers()["x-key"].is_sensitive() && !request.headers().contains_key("x_key"));
    assert!(!format!("{request:?}").contains("value&of"), "{request:?}");
    let basic = Slot::Basic { username: "bot".into() };
    let request = sent(basic, "/", &[("authorization", "Bearer own")]);
    assert_eq!(request.headers()["authorization"], "Basic Ym90OnZhbHVlJm9mK2l0");
    let query = || Slot::Query { name: "key".into() };
    let request = sent(query(), "https://api.example.com/a?b=1&k%65y=own", &[]);
    assert_eq!(request.uri(), "https://api.example.com/a?b=1&key=value%26of%2Bit");
    assert_eq!(sent(query(), "/a", &[]).uri(), "/a?key=value%26of%2Bit");
}
