//! Length-prefixed messages, as gRPC and Connect streams frame them: a byte of flags, four of
//! length (big-endian), then as many bytes of a message.

/// Follows a stream from message to message.
#[derive(Debug, Default)]
pub(super) struct Messages {
    /// The prefix that has come so far.
    prefix: [u8; 5],
    known: usize,
    /// Of the current message, these are to come.
    left: usize,
}

impl Messages {
    /// Takes what comes next.
    pub(super) fn push(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            if self.left > 0 {
                let taken = self.left.min(data.len());
                self.left -= taken;
                data = &data[taken..];
                continue;
            }
            self.prefix[self.known] = data[0];
            self.known += 1;
            data = &data[1..];
            if self.known == self.prefix.len() {
                self.known = 0;
                let [_flags, length @ ..] = self.prefix;
                self.left = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
            }
        }
    }

    /// Whether nothing of a message is outstanding.
    pub(super) const fn at_boundary(&self) -> bool {
        self.left == 0 && self.known == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_are_found_however_the_stream_is_cut() {
        let stream = b"\0\0\0\0\x03abc\0\0\0\0\0\x02\0\0\0\x01z";
        for piece in 1..stream.len() {
            let mut messages = Messages::default();
            let mut boundaries = Vec::new();
            for (n, part) in stream.chunks(piece).enumerate() {
                messages.push(part);
                if messages.at_boundary() {
                    boundaries.push((n * piece + part.len()).min(stream.len()));
                }
            }
            assert!(
                boundaries.iter().all(|at| [8, 13, 19].contains(at)),
                "{piece}: {boundaries:?}"
            );
            assert_eq!(boundaries.last(), Some(&stream.len()));
        }
    }
}
