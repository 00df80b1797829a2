use super::super::slow::Slow;
use super::*;
use std::io::IoSlice;
use tokio::io::AsyncWriteExt;

const TARGET: &[u8] = b"/a<?\xff";
const PLAIN: &[u8] = b"GET /a%3C?%FF HTTP/1.1\r\nhost: a\r\n\r\n";
const SENT: &[u8] = b"GET /a<?\xff HTTP/1.1\r\nhost: a\r\n\r\n";

/// The head that the library writes.
fn head(next: &NextTarget, target: Option<&'static [u8]>) -> Vec<u8> {
    let mut request = Request::get("/a%3C?%FF").body(()).unwrap();
    next.set(&mut request, target.map(Bytes::from_static).as_ref());
    format!("GET {} HTTP/1.1\r\nhost: a\r\n\r\n", request.uri()).into_bytes()
}

#[tokio::test]
async fn the_line_goes_out_with_the_bytes_that_were_sent() {
    for most in [1, 2, 7, 1000] {
        let mut lines = Lines::new(Slow::new(most));
        let next = lines.next();
        for target in [None, Some(TARGET), None, Some(TARGET), Some(TARGET)] {
            let head = head(&next, target);
            lines.write_all(&head).await.unwrap();
        }
        lines.flush().await.unwrap();
        assert_eq!(lines.inner.taken, [PLAIN, SENT, PLAIN, SENT, SENT].concat(), "{most}");
    }
}

/// The end of the request before and the beginning of a body may come along.
#[tokio::test]
async fn the_line_is_found_wherever_it_is() {
    for vectored in [false, true] {
        let mut lines = Lines::new(Slow::new(3));
        let head = head(&lines.next(), Some(TARGET));
        let (before, behind) = ([b"end, ", PLAIN].concat(), [PLAIN, b"body"].concat());
        let mut left = [&before[..], &head, &behind].concat();
        while !left.is_empty() {
            let (one, two) = left.split_at(left.len().saturating_sub(behind.len()));
            let slices = [IoSlice::new(b""), IoSlice::new(one), IoSlice::new(two)];
            let written = match vectored {
                true => lines.write_vectored(&slices).await.unwrap(),
                false => lines.write(&left).await.unwrap(),
            };
            left.drain(..written);
        }
        lines.shutdown().await.unwrap();
        assert_eq!(lines.inner.taken, [&before[..], SENT, &behind].concat());
    }
}

#[tokio::test]
async fn a_request_that_was_not_written_leaves_nothing_behind() {
    let mut lines = Lines::new(Slow::new(1000));
    let (next, given_up) = (lines.next(), head(&lines.next(), Some(TARGET)));
    let plain = head(&next, None);
    lines.write_all(&[given_up.clone(), plain].concat()).await.unwrap();
    assert_eq!(lines.inner.taken, [&given_up, PLAIN].concat());
}
