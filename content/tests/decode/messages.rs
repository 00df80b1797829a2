//! Multipart, events, gRPC: shapes that real tools send. Each is also decoded by single bytes.

use crate::support::*;
use exeat_content::{Media, Why};

const SECRET: &str = "project zeus launches at dawn";

#[test]
fn parts_with_names_and_files() {
    let body = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"zeus \\\"1\\\".txt\"\r\n\
        Content-Type: application/json\r\n\r\n{\"a\":\"\\u0062\"}\r\n\
        --b\r\ncontent-disposition: form-data; name=note;\r\n filename*=UTF-8''na%C3%AFve\r\n\r\n\
        line one\r\n--bx\r\n-\r\n--b\r\n\r\n\r\n--b--\r\nepilogue";
    let got = decode(&Media::of("multipart/form-data; boundary=b"), body.as_bytes());
    assert_eq!(got.result, Ok(()));
    assert_eq!(got.at("body part \"file\" filename"), "zeus \"1\".txt");
    assert_eq!(got.at("body part \"file\" name"), "file");
    assert_eq!(got.at("body part \"file\".a"), "b");
    assert_eq!(got.at("body part \"note\" filename"), "naïve");
    assert!(got.at("body part \"note\"").starts_with("line one\r\n--b"), "{}", got.list());
}

#[test]
fn a_line_that_only_begins_like_a_delimiter_is_content() {
    let body = "--abc\r\n\r\none\r\n--ab\r\n--a\r\r\n--\r\n--abc--";
    let got = decode(&Media::of("multipart/mixed; boundary=\"abc\""), body.as_bytes());
    assert_eq!(got.at("body part 1"), "one\r\n--ab\r\n--a\r\r\n--");
}

#[test]
fn parts_in_parts_and_their_encodings() {
    let quoted = SECRET.replace('z', "=7A").replace("at", "a=\r\nt");
    let body = format!(
        "--o\r\nContent-Type: multipart/mixed; boundary=\"i i\"\r\n\r\n\
         preamble\r\n--i i\nContent-Transfer-Encoding: base64\n\n{}\r\n\
         --i i\r\nContent-Transfer-Encoding: Quoted-Printable\r\n\r\n{quoted}\r\n--i i--\r\n\r\n--o--\r\n",
        base64(SECRET.as_bytes())
    );
    let got = decode(&Media::of("multipart/mixed; boundary=o"), body.as_bytes());
    assert_eq!(got.result, Ok(()));
    assert_eq!(got.at("body part 1 part 1 (base64)"), SECRET);
    assert_eq!(got.at("body part 1 part 2 (quoted-printable)"), SECRET);
}

#[test]
fn multipart_fails_hard() {
    let of = Media::of("multipart/form-data; boundary=b");
    for body in ["no delimiter", "--b\r\n\r\nno end", "--b\r\nno end of header"] {
        assert_eq!(decode(&of, body.as_bytes()).result.unwrap_err().why, Why::Truncated, "{body}");
    }
    let none = decode(&Media::of("multipart/form-data"), b"x");
    assert_eq!(none.result.unwrap_err().why, Why::Boundary);
    let endless = [b"--b\r\nX: ".as_slice(), &[b'a'; 20_000]].concat();
    let got = decode(&of, &endless);
    assert_eq!(got.result.unwrap_err().to_string(), "multipart: has a header that is too long");
    let coded = b"--b\r\nContent-Encoding: gzip\r\n\r\nno gzip\r\n--b--";
    assert_eq!(decode(&of, coded).result.unwrap_err().layer, "gzip");
}

#[test]
fn all_of_it_at_once() {
    let inner = format!(r#"{{"k":"{}"}}"#, SECRET.replace('z', "\\u007a"));
    let json = format!(r#"{{"outer":{:?}}}"#, inner);
    let body = format!(
        "--b\r\nContent-Type: application/json\r\n\r\n{{\"f\":\"{}\"}}\r\n--b--\r\n",
        base64(json.as_bytes())
    );
    let media = encoded("multipart/form-data; boundary=b", "gzip");
    let got = decode(&media, &gzip(body.as_bytes()));
    assert_eq!(got.at("body (gzip) part 1.f (base64).outer.k"), SECRET);
}

const ANTHROPIC: &str = r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_1","role":"assistant","content":[]}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: ping
data: {"type": "ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"project z"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"e\u0075s launches at dawn"}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"command\": \"cat pa"}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"sswd\\n\"}"}}

event: message_stop
data: {"type":"message_stop"}

"#;

#[test]
fn anthropic_deltas_are_joined() {
    for text in
        [ANTHROPIC.to_owned(), ANTHROPIC.replace('\n', "\r\n"), ANTHROPIC.replace('\n', "\r")]
    {
        let got = decode(&Media::of("text/event-stream; charset=utf-8"), text.as_bytes());
        assert_eq!(got.at("body.delta.text (joined)"), SECRET);
        assert_eq!(got.at("body.delta.partial_json (joined).command"), "cat passwd\n");
        assert_eq!(got.at("body event 4.delta.text"), "project z");
        assert!(got.at("body fields").starts_with("event: message_start\n"));
    }
}

#[test]
fn openai_choices_are_joined_each() {
    let event = |index: u32, text: &str| {
        format!(
            "data: {{\"id\":\"x\",\"choices\":[{{\"index\":{index},\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n"
        )
    };
    let text = [
        event(0, "project "),
        event(1, "other "),
        event(0, "zeus"),
        event(1, "text"),
        "data: [DONE]\n\n".to_owned(),
    ]
    .concat();
    let got = decode(&Media::of("text/event-stream"), text.as_bytes());
    let joined: Vec<_> =
        got.streams.iter().filter(|s| s.at == "body.choices[0].delta.content (joined)").collect();
    assert_eq!(joined.len(), 2, "{}", got.list());
    assert!(got.has("project zeus") && got.has("other text"));
}

#[test]
fn events_that_are_no_json() {
    let got = decode(
        &Media::of("text/event-stream"),
        b": hi\ndata:proj\ndata\ndata: x\n\ndata: ect zeus\nid\n\nnonsense proj%65ct",
    );
    assert_eq!(got.at("body event 1"), "proj\n\nx");
    assert_eq!(got.at("body event 2"), "ect zeus");
    assert!(got.at("body data (joined)").ends_with("xect zeus"));
    assert!(got.has("nonsense project"), "{}", got.list());
}

#[test]
fn grpc_both_ways_message_by_message() {
    let mut media = Media::of("application/grpc+proto");
    media.message_encoding = Some("gzip".to_owned());
    let one = [b"\x0a\x1d".as_slice(), SECRET.as_bytes()].concat();
    let body = [frame(0, &one), frame(1, &gzip(&one)), frame(0, b""), frame(1, b"")].concat();
    let got = decode(&media, &body);
    assert_eq!(got.result, Ok(()));
    assert!(got.at("body grpc message 1").ends_with(SECRET));
    assert!(got.at("body grpc message 2 (gzip)").ends_with(SECRET));
    let damaged = decode(&media, &frame(1, b"no gzip"));
    assert_eq!(damaged.result.unwrap_err().to_string(), "grpc message (gzip): is damaged");
    let cut = decode(&media, &body[..20]);
    assert_eq!(cut.result.unwrap_err().to_string(), "grpc message: ends too early");
    let undeclared = decode(&Media::of("application/grpc"), &frame(1, &gzip(&one)));
    assert_eq!(undeclared.result.unwrap_err().to_string(), "grpc message: is not known");
    media.message_encoding = Some("snappy".to_owned());
    assert_eq!(decode(&media, &body).result.unwrap_err().layer, "grpc message (snappy)");
    assert_eq!(
        decode(&Media::of("application/grpc"), &frame(4, b"x")).result.unwrap_err().why,
        Why::Protocol
    );
}

#[test]
fn grpc_web_and_connect() {
    let body = [frame(0, SECRET.as_bytes()), frame(0x80, b"grpc-status: 0\r\n")].concat();
    let web = decode(&Media::of("application/grpc-web+proto"), &body);
    assert_eq!(web.at("body grpc message 2"), "grpc-status: 0\r\n");
    let text = [base64(&body[..20]), base64(&body[20..])].concat();
    let text = decode(&Media::of("application/grpc-web-text"), text.as_bytes());
    assert_eq!(text.at("body (base64) grpc message 1"), SECRET);
    let body = [
        frame(0, br#"{"text":"project "}"#),
        frame(0, br#"{"text":"zeus"}"#),
        frame(2, br#"{"error":{"code":"\u0062"}}"#),
    ]
    .concat();
    let connect = decode(&Media::of("application/connect+json"), &body);
    assert_eq!(connect.at("body.text (joined)"), "project zeus");
    assert_eq!(connect.at("body grpc message 3.error.code"), "b");
}

#[test]
fn an_event_that_looks_compressed_keeps_what_is_joined() {
    let body = b"data: project \n\ndata: x\x9czeus\n\ndata: launches\n\n";
    let got = decode(&Media::of("text/event-stream"), body);
    assert_eq!(got.at("body data (joined)"), "project x\u{fffd}zeuslaunches");
}
