use super::super::slow::Slow;
use super::*;
use std::io::IoSlice;
use tokio::io::AsyncWriteExt;

const WRITTEN: &str = "GET /a%3C?%FF HTTP/1.1\r\n";
const TARGET: &[u8] = b"/a<?\xff";
const REST: &str = "host: a\r\n\r\n";

fn set(next: &NextLine, target: Option<&'static [u8]>) {
    let uri = Uri::from_static("/a%3C?%FF");
    next.set(&Method::GET, &uri, target.map(Bytes::from_static).as_ref());
}

fn instead() -> Vec<u8> {
    [b"GET ", TARGET, b" HTTP/1.1\r\n", REST.as_bytes()].concat()
}

#[tokio::test]
async fn the_line_goes_out_with_the_bytes_that_were_sent() {
    for most in [1, 2, 7, 1000] {
        let mut lines = Lines::new(Slow::new(most));
        let next = lines.next();
        let plain = format!("{WRITTEN}{REST}");
        set(&next, None);
        lines.write_all(plain.as_bytes()).await.unwrap();
        set(&next, Some(TARGET));
        lines.write_all(plain.as_bytes()).await.unwrap();
        // It is used up.
        lines.write_all(plain.as_bytes()).await.unwrap();
        lines.flush().await.unwrap();
        let expected = [plain.as_bytes(), &instead(), plain.as_bytes()].concat();
        assert_eq!(lines.inner.taken, expected, "{most}");
    }
}

#[tokio::test]
async fn a_head_and_the_body_behind_it_may_come_together() {
    let mut lines = Lines::new(Slow::new(3));
    set(&lines.next(), Some(TARGET));
    let (head, body) = (format!("{WRITTEN}{REST}"), "x".repeat(50));
    let mut left = [head.as_bytes(), body.as_bytes()].concat();
    while !left.is_empty() {
        let (one, two) = left.split_at(head.len().min(left.len()));
        let slices = [IoSlice::new(b""), IoSlice::new(one), IoSlice::new(two)];
        let written = lines.write_vectored(&slices).await.unwrap();
        left.drain(..written);
    }
    lines.shutdown().await.unwrap();
    assert_eq!(lines.inner.taken, [&instead(), body.as_bytes()].concat());
}

/// What does not begin with exactly this line passes, and so does a body that does.
#[tokio::test]
async fn only_the_beginning_of_a_request_is_ever_replaced() {
    for other in ["GET /a%3C?%FE HTTP/1.1\r\n", "GET /a%3C", "get /a%3C?%FF HTTP/1.1\r\n", "x"] {
        let mut lines = Lines::new(Slow::new(1000));
        set(&lines.next(), Some(TARGET));
        lines.write_all(other.as_bytes()).await.unwrap();
        lines.write_all(WRITTEN.as_bytes()).await.unwrap();
        assert_eq!(lines.inner.taken, format!("{other}{WRITTEN}").as_bytes());
    }
    let mut lines = Lines::new(Slow::new(1000));
    set(&lines.next(), Some(TARGET));
    set(&lines.next(), None);
    lines.write_all(WRITTEN.as_bytes()).await.unwrap();
    assert_eq!(lines.inner.taken, WRITTEN.as_bytes());
}
