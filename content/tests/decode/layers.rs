//! Every layer, alone and stacked. Each body is also decoded by single bytes, with the same outcome.

use crate::support::*;
use exeat_content::{DecodeError, Media, Why};

const SECRET: &str = "project zeus launches at dawn";

#[test]
fn plain_text_is_the_body() {
    let got = decode(&Media::default(), SECRET.as_bytes());
    assert_eq!(got.streams.len(), 1, "{}", got.list());
    assert_eq!(got.at("body"), SECRET);
}

#[test]
fn codings_alone_and_stacked() {
    let text = SECRET.as_bytes();
    let mut members = gzip(&text[..9]);
    members.extend(gzip(&text[9..]));
    members.extend([0; 12]);
    for (encoding, body) in [
        ("gzip", gzip(text)),
        ("x-gzip", members),
        ("deflate", zlib(text)),
        ("deflate", deflate(text)),
        ("br", brotli(text)),
        ("zstd", [zstd(&text[..5]), zstd(&text[5..])].concat()),
        ("gzip, br", brotli(&gzip(text))),
        ("zstd, gzip, identity", gzip(&zstd(text))),
        ("br, deflate, zstd", zstd(&zlib(&brotli(text)))),
    ] {
        let got = decode(&encoded("text/plain", encoding), &body);
        assert_eq!(got.result, Ok(()), "{encoding}");
        let whole = got.streams.iter().any(|stream| stream.text == text);
        assert!(whole, "{encoding}: {}", got.list());
    }
    let got = decode(&encoded("text/plain", "gzip, br"), &brotli(&gzip(text)));
    assert_eq!(got.at("body (br) (gzip)"), SECRET);
}

#[test]
fn a_declared_coding_fails_hard() {
    let text = SECRET.as_bytes();
    let mut wrong_sum = gzip(text);
    let at = wrong_sum.len() - 6;
    wrong_sum[at] ^= 1;
    for (encoding, body, layer, why) in [
        ("gzip", text.to_vec(), "gzip", Why::Damaged),
        ("gzip", wrong_sum, "gzip", Why::Damaged),
        ("gzip", gzip(text)[..20].to_vec(), "gzip", Why::Truncated),
        ("gzip", [gzip(text), b"more".to_vec()].concat(), "gzip", Why::Trailing),
        ("deflate", [zlib(text), b"more".to_vec()].concat(), "deflate", Why::Trailing),
        ("br", [brotli(text), b"more".to_vec()].concat(), "br", Why::Trailing),
        ("br", b"\xff\xff\xff\xff\xff".to_vec(), "br", Why::Damaged),
        ("zstd", text.to_vec(), "zstd", Why::Damaged),
        ("zstd", zstd(text)[..12].to_vec(), "zstd", Why::Truncated),
        ("compress", text.to_vec(), "compress", Why::Unknown),
        ("gzip, gzip", gzip(text), "gzip", Why::Damaged),
    ] {
        let got = decode(&encoded("text/plain", encoding), &body);
        let want = DecodeError { layer: layer.into(), why };
        assert_eq!(got.result, Err(want), "{encoding}");
    }
}

#[test]
fn a_body_without_a_byte_is_whole() {
    for encoding in ["gzip", "deflate", "br", "zstd", "aws-chunked", "nonsense"] {
        assert_eq!(
            decode(&encoded("multipart/form-data; boundary=x", encoding), b"").result,
            Ok(())
        );
    }
}

#[test]
fn compression_that_nobody_declared() {
    let text = SECRET.as_bytes();
    for body in [gzip(text), zlib(text), zstd(text)] {
        let got = decode(&Media::of("application/octet-stream"), &body);
        assert_eq!(got.result, Ok(()));
        assert!(got.has(SECRET), "{}", got.list());
        // Damaged or cut, it is opaque, and no error.
        let mut damaged = body.clone();
        damaged.truncate(body.len() - 7);
        assert_eq!(decode(&Media::default(), &damaged).result, Ok(()));
        damaged.extend([0x55; 40]);
        assert_eq!(decode(&Media::default(), &damaged).result, Ok(()));
    }
    let git_pack = [b"PACK\0\0\0\x02\0\0\0\x01".as_slice(), &zlib(text)].concat();
    assert!(!decode(&Media::of("application/x-git-receive-pack-request"), &git_pack).has(SECRET));
}

#[test]
fn git_sends_requests_in_gzip() {
    let body = gzip(b"0032want 0123456789012345678901234567890123456789\n00000009done\n");
    let got = decode(&encoded("application/x-git-upload-pack-request", "gzip"), &body);
    assert!(got.at("body (gzip)").contains("want 0123"), "{}", got.list());
}

#[test]
fn boto3_sends_signed_chunks() {
    let data = gzip(SECRET.as_bytes());
    let (one, two) = data.split_at(10);
    let mut body = format!("{:x};chunk-signature={}\r\n", one.len(), "ab".repeat(32)).into_bytes();
    body.extend_from_slice(one);
    body.extend(format!("\r\n{:X};chunk-signature={}\r\n", two.len(), "cd".repeat(32)).bytes());
    body.extend_from_slice(two);
    body.extend(b"\r\n0;chunk-signature=00\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n");
    for encoding in ["aws-chunked,gzip", "gzip,aws-chunked"] {
        let got = decode(&encoded("text/plain", encoding), &body);
        assert_eq!(got.at("body (aws-chunked) (gzip)"), SECRET);
    }
    let mut undeclared = encoded("text/plain", "gzip");
    undeclared.amz_content_sha256 = Some("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER".to_owned());
    assert_eq!(decode(&undeclared, &body).at("body (aws-chunked) (gzip)"), SECRET);
    let got = decode(&encoded("text/plain", "aws-chunked"), b"5\r\nhell");
    assert_eq!(got.result.unwrap_err().to_string(), "aws-chunked: ends too early");
    let got = decode(&encoded("text/plain", "aws-chunked"), b"ffffffffffffffffff\r\n");
    assert_eq!(got.result.unwrap_err().to_string(), "aws-chunked: is damaged");
}

#[test]
fn json_has_a_stream_for_each_string() {
    let body = br#" {"messages":[{},{"role":"user","con\u0074ent":"a\n\u00e9\ud83d\ude00\"b\/"}],"n":1e5,"x y":null,"e":""}"#;
    let got = decode(&Media::of("application/json"), body);
    assert_eq!(got.at("body.messages[1].content"), "a\né😀\"b/");
    assert_eq!(got.at("body.messages[1] key"), "content");
    assert_eq!(got.at("body key"), "e");
    assert_eq!(got.at("body.e"), "");
}

#[test]
fn json_in_json_and_what_is_in_it() {
    let inner = format!(r#"{{"arguments":"{{\"cmd\":\"echo {}\"}}"}}"#, base64(SECRET.as_bytes()));
    let escaped = inner.replace('\\', "\\\\").replace('"', "\\\"");
    let body = format!(r#"[{{"tool":"{escaped}"}}]"#);
    let got = decode(&Media::default(), body.as_bytes());
    assert_eq!(got.at("body[0].tool.arguments.cmd (base64)"), SECRET);
}

#[test]
fn json_that_breaks_off_is_read_as_text_from_there() {
    let body = br#"{"a":"x\u0041y","b": oops!! proj%65ct zeus}"#;
    let got = decode(&Media::of("application/json"), body);
    assert_eq!(got.result, Ok(()));
    assert_eq!(got.at("body.a"), "xAy");
    assert!(got.at("body (web escapes)").starts_with("{\"a\":"), "{}", got.list());
    assert!(got.has("project zeus"));
    let lone = decode(&Media::of("application/json"), br#"["\ud83d","\ud83dx","\udc00","open"#);
    assert_eq!(lone.at("body[1]"), "\u{fffd}x");
    assert_eq!(lone.at("body[3]"), "open");
}

#[test]
fn json_sent_as_a_form_is_json() {
    let got = decode(&Media::of("application/x-www-form-urlencoded"), br#"{"a":"b=c&\u0064"}"#);
    assert_eq!(got.at("body.a"), "b=c&d");
}

#[test]
fn forms_have_names_and_values() {
    let body = b"user+name=a%20b%zz%4&%74oken=%7B%22k%22%3A%22%5Cu0076%22%7D&flag&=x";
    let got = decode(&Media::of("application/x-www-form-urlencoded"), body);
    assert_eq!(got.at("body field \"user name\""), "a b%zz%4");
    assert_eq!(got.at("body field \"token\".k"), "v");
    let twice = decode(&Media::of("application/x-www-form-urlencoded"), b"a=proj%252565ct");
    assert!(twice.has("project"), "{}", twice.list());
}

#[test]
fn ndjson_is_joined_line_by_line() {
    let body = b"{\"message\":{\"content\":\"project \"}}\n{\"message\":{\"content\":\"zeus\"}}\n";
    let got = decode(&Media::of("application/x-ndjson"), body);
    assert_eq!(got.at("body.message.content (joined)"), "project zeus");
    assert_eq!(got.at("body text 2.message.content"), "zeus");
}

#[test]
fn gemini_streams_an_array() {
    let body = br#"[{"candidates":[{"content":{"parts":[{"text":"project "}]}}]},
        {"candidates":[{"content":{"parts":[{"text":"zeus"}]}}]}]"#;
    let got = decode(&Media::of("application/json; charset=UTF-8"), body);
    assert_eq!(got.at("body.candidates[0].content.parts[0].text (joined)"), "project zeus");
}

#[test]
fn percent_entities_and_backslashes_in_text() {
    for text in [
        "proj%65ct zeus",
        "proj%2565ct zeus",
        "proj&#101;ct zeus",
        "proje&#x63t zeus &lt;",
        "proj&#101ct&nbsp; zeus; project&#32;zeus",
        "proj\\u0065ct zeus",
        "proj\\x65ct zeus",
        "proj\\145ct zeus",
        "proj%26%23101;ct zeus",
        "100% % %% %z proj%65ct zeus",
        "a & b &c; proj\\\\x65ct, proj&#101;ct zeus",
        "+AGE- proj+AGU-ct zeus",
    ] {
        let got = decode(&Media::of("text/plain"), text.as_bytes());
        assert!(got.has("project zeus"), "{text}: {}", got.list());
    }
}

#[test]
fn text_without_escapes_is_one_stream() {
    for text in ["100% sure & certain; C:\\dir\\name + more", "a%", "b&am", "c\\", "d\\u12", "%%%4"]
    {
        let got = decode(&Media::of("text/plain"), text.as_bytes());
        let streams = got.streams.iter().filter(|stream| !stream.at.contains("backslash")).count();
        assert_eq!(streams, 1, "{text}: {}", got.list());
    }
}

#[test]
fn base64_and_hex_in_text() {
    let plain = base64(SECRET.as_bytes());
    let lines =
        plain.as_bytes().chunks(20).map(|line| String::from_utf8_lossy(line)).collect::<Vec<_>>();
    let hex: String = SECRET.bytes().map(|byte| format!("{byte:02x}")).collect();
    for text in [
        plain.clone(),
        format!("key={plain}&x"),
        format!("data:text/plain;base64,{plain}"),
        format!("https://x/api/v1/{plain}"),
        format!("x{plain}"),
        plain.replace('+', "-").replace('/', "_").trim_end_matches('=').to_owned(),
        lines.join("\n"),
        lines.join("\r\n  "),
        base64(plain.as_bytes()),
        base64(&gzip(SECRET.as_bytes())),
        base64(&utf16(SECRET, false)),
        hex.to_uppercase(),
        hex.as_bytes()
            .chunks(20)
            .map(|l| String::from_utf8_lossy(l))
            .collect::<Vec<_>>()
            .join("\n"),
        base64(hex.as_bytes()),
        format!("{{\"a\":\"{}\"}}", lines.join("\\n")),
        format!("var a = '{}';", lines.join("\\n")),
    ] {
        let got = decode(&Media::of("text/plain"), text.as_bytes());
        assert!(got.has(SECRET), "{text}: {}", got.list());
    }
}

#[test]
fn words_and_digests_are_no_runs() {
    let text =
        "internationalization of characteristically 0123456789abcdef0123456789abcdef01234567 x";
    let got = decode(&Media::of("text/plain"), text.as_bytes());
    assert_eq!(got.streams.len(), 1, "{}", got.list());
}

#[test]
fn charsets_declared_marked_or_shown() {
    let marked = |big| [utf16("\u{feff}", big), utf16(SECRET, big)].concat();
    let utf32: Vec<u8> = SECRET.chars().flat_map(|c| (c as u32).to_le_bytes()).collect();
    for (of, body) in [
        ("text/plain; charset=utf-16le", utf16(SECRET, false)),
        ("text/plain; charset=\"UTF-16BE\"", utf16(SECRET, true)),
        ("text/plain", marked(false)),
        ("text/plain", marked(true)),
        ("text/plain", utf16(SECRET, false)),
        ("text/plain", utf16(SECRET, true)),
        ("text/plain", [b"odd".as_slice(), &utf16(SECRET, true)].concat()),
        ("text/plain", utf32),
        (
            "text/plain; charset=utf-7",
            b"project+ACA-zeus+ACAAbABhAHUAbgBjAGgAZQBz at dawn".to_vec(),
        ),
        ("text/plain; charset=cp037x", Vec::new()),
    ] {
        let got = decode(&Media::of(of), &body);
        assert!(body.is_empty() || got.has(SECRET), "{of}: {}", got.list());
    }
    let json = decode(
        &Media::of("application/json; charset=utf-16le"),
        &utf16("{\"a\":\"\\u0062é\"}", false),
    );
    assert_eq!(json.at("body (UTF-16LE).a"), "bé");
    let shown = decode(&Media::of("application/json"), &utf16("{\"a\":\"\\u0062é\"}", false));
    assert_eq!(shown.at("body (UTF-16LE).a"), "bé");
    let latin = decode(&Media::of("text/plain; charset=iso-8859-1"), b"caf\xe9");
    assert_eq!(latin.at("body (windows-1252)"), "café");
    let unknown = decode(&Media::of("text/plain; charset=ebcdic-xx"), b"x");
    assert_eq!(unknown.result.unwrap_err().to_string(), "charset ebcdic-xx: is not known");
}

#[test]
fn a_declared_charset_does_not_hide_the_plain_reading() {
    let got = decode(&Media::of("application/json; charset=utf-16"), br#"{"a":"\u0062"}"#);
    assert_eq!(got.at("body.a"), "b");
}
