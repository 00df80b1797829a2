//! One layer at a time.

use crate::support::{CARD, cards, masks, run, text};
use exeat_content::Media;
use exeat_policy::mask::{Numbers, With};
use std::io::{Read, Write};

#[test]
fn text_is_masked_and_the_rest_stays() {
    let masks = cards();
    let body = format!("pay {CARD}, or 4111 1111 1111 1111!\r\n");
    let want = "pay [exeat:credit-card], or [exeat:credit-card]!\r\n";
    assert_eq!(text(&masks, "text/plain", &body), want);
}

#[test]
fn json_keeps_its_spaces_escapes_and_structure() {
    let masks = cards();
    let body = format!(r#" {{ "a\u0041" : "x {CARD} \"y\"" , "{CARD}":[ 1.50e3, {CARD} ] }} "#);
    let want = r#" { "a\u0041" : "x [exeat:credit-card] \"y\"" , "[exeat:credit-card]":[ 1.50e3, 1000000000000000 ] } "#;
    assert_eq!(text(&masks, "application/json", &body), want);
}

#[test]
fn escapes_hide_nothing() {
    let masks = cards();
    let hidden = CARD.replace('4', "\\u0034").replacen('1', "\\u0031", 3);
    let body = format!(r#"{{"a":"({hidden})"}}"#);
    assert_eq!(text(&masks, "application/json", &body), r#"{"a":"([exeat:credit-card])"}"#);
}

#[test]
fn json_in_json_is_masked() {
    let masks = cards();
    let body = format!(r#"{{"a":"{{\"card\":\"{CARD}\"}}"}}"#);
    let want = r#"{"a":"{\"card\":\"[exeat:credit-card]\"}"}"#;
    assert_eq!(text(&masks, "application/json", &body), want);
}

#[test]
fn numbers_become_strings_where_the_rule_says_so() {
    let masks = masks(&["credit-card"], With::Placeholder, Numbers::String);
    let body = format!(r#"{{"a":{CARD},"b":[-1]}}"#);
    assert_eq!(text(&masks, "application/json", &body), r#"{"a":"[exeat:credit-card]","b":[-1]}"#);
}

#[test]
fn other_ways_to_mask() {
    let body = format!(r#"{{"a":"{CARD}"}}"#);
    let partial = masks(&["credit-card"], With::Partial, Numbers::Keep);
    assert_eq!(text(&partial, "application/json", &body), r#"{"a":"************1111"}"#);
    let hash = masks(&["credit-card"], With::Hash, Numbers::Keep);
    let want = r#"{"a":"[exeat:credit-card:101010101010]"}"#;
    assert_eq!(text(&hash, "application/json", &body), want);
}

#[test]
fn form_fields_stay_form_fields() {
    let masks = cards();
    let hidden = CARD.replacen('4', "%34", 1);
    let body = format!("a={hidden}&b=x+y&c=4111+1111+1111+1111&d=%zz");
    let want = "a=%5Bexeat%3Acredit-card%5D&b=x+y&c=%5Bexeat%3Acredit-card%5D&d=%zz";
    assert_eq!(text(&masks, "application/x-www-form-urlencoded", &body), want);
}

#[test]
fn boundaries_of_parts_stay() {
    let masks = cards();
    let body = format!("--{CARD}\r\nx: {CARD}\r\n\r\n{CARD}\r\n--{CARD}--\r\n");
    let want = body
        .replace(&format!(" {CARD}\r"), " [exeat:credit-card]\r")
        .replace(&format!("\n{CARD}\r"), "\n[exeat:credit-card]\r");
    assert_eq!(text(&masks, &format!("multipart/form-data; boundary={CARD}"), &body), want);
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn codings_are_taken_off_and_put_back_on() {
    let masks = cards();
    let plain = format!("a {CARD} b");
    let zlib = |text: &[u8]| {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    let unzlib = |data: &[u8]| {
        let mut text = Vec::new();
        flate2::read::ZlibDecoder::new(data).read_to_end(&mut text).unwrap();
        text
    };
    let ungzip = |data: &[u8]| {
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(data).read_to_end(&mut text).unwrap();
        text
    };
    let zstd = |text: &[u8]| zstd::encode_all(text, 1).unwrap();
    let unzstd = |data: &[u8]| zstd::decode_all(data).unwrap();
    let mask = |encoding: &str, body: &[u8]| {
        let media = Media { content_encoding: Some(encoding.into()), ..Media::of("text/plain") };
        let whole = run(&masks, &media, [body]).unwrap();
        let apart = run(&masks, &media, body.chunks(1)).unwrap();
        (whole, apart)
    };
    let want = b"a [exeat:credit-card] b";
    let (whole, apart) = mask("gzip", &gzip(plain.as_bytes()));
    assert_eq!((ungzip(&whole), ungzip(&apart)), (want.to_vec(), want.to_vec()));
    let (whole, apart) = mask("deflate", &zlib(plain.as_bytes()));
    assert_eq!((unzlib(&whole), unzlib(&apart)), (want.to_vec(), want.to_vec()));
    let (whole, apart) = mask("zstd", &zstd(plain.as_bytes()));
    assert_eq!((unzstd(&whole), unzstd(&apart)), (want.to_vec(), want.to_vec()));
    let (whole, _) = mask("gzip, zstd", &zstd(&gzip(plain.as_bytes())));
    assert_eq!(ungzip(&unzstd(&whole)), want);
}

#[test]
fn what_cannot_be_read_or_masked_is_refused() {
    let masks = cards();
    let fails = |kind: &str, encoding: Option<&str>, body: &[u8]| {
        let encoding = encoding.map(str::to_owned);
        let media = Media { content_encoding: encoding, ..Media::of(kind) };
        run(&masks, &media, [body]).unwrap_err().to_string()
    };
    assert_eq!(fails("text/plain", Some("lzma"), b"a"), "lzma: is not known");
    assert_eq!(fails("text/plain", Some("gzip"), b"a"), "gzip: is damaged");
    assert_eq!(fails("text/plain; charset=utf-16", None, b"a"), "charset: cannot be masked");
    assert_eq!(fails("application/grpc", None, b"a"), "grpc message: cannot be masked");
    let hidden = r#"{"a":"NDExMTExMTExMTExMTExMQ=="}"#;
    let why = fails("application/json", None, hidden.as_bytes());
    assert_eq!(why, "body.a (base64) (detector credit-card): cannot be masked");
}

/// A sender that knows the form of placeholders cannot hide a value behind it.
#[test]
fn a_value_with_a_placeholder_in_it_is_a_value() {
    let masks = masks(&["database-url"], With::Placeholder, Numbers::Keep);
    // postgres://app:9hunter2xQ4@db.example[exeat:x]/orders
    let hidden =
        r#"{"a":"cG9zdGdyZXM6Ly9hcHA6OWh1bnRlcjJ4UTRAZGIuZXhhbXBsZVtleGVhdDp4XS9vcmRlcnM="}"#;
    let error = run(&masks, &Media::of("application/json"), [hidden.as_bytes()]).unwrap_err();
    assert!(error.to_string().contains("(base64) (detector database-url)"), "{error}");
}

#[test]
fn a_single_byte_charset_is_read_as_it_is() {
    let masks = cards();
    let body = [b"\xe9 ", CARD.as_bytes(), b" \xe9"].concat();
    let out = run(&masks, &Media::of("text/plain; charset=iso-8859-1"), [&body[..]]).unwrap();
    assert_eq!(out, b"\xe9 [exeat:credit-card] \xe9");
}

#[test]
fn an_empty_body_stays_empty() {
    let masks = cards();
    let media = Media { content_encoding: Some("gzip".into()), ..Media::of("text/plain") };
    assert_eq!(run(&masks, &media, []).unwrap(), b"");
}
