//! The log, written by a thread of its own: whoever reads standard error may stop reading, and
//! traffic and probes must not stand still for it. Lines that find no room are dropped and counted.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};
use tracing_subscriber::fmt::MakeWriter;

/// Lines that wait at once. The longest are a few hundred bytes.
const WAITING: usize = 2048;
/// How long the last lines may take when the process ends.
const LAST: Duration = Duration::from_secs(1);
const AGAIN: Duration = Duration::from_millis(10);

enum Message {
    Line(Vec<u8>),
    /// Everything before this is to be written; then this is dropped.
    End(SyncSender<()>),
}

/// Where log lines go. Writing never waits.
#[derive(Debug, Clone)]
pub struct Lines {
    sender: SyncSender<Message>,
    dropped: Dropped,
}

/// How many lines were dropped.
#[derive(Debug, Clone, Default)]
pub struct Dropped(Arc<AtomicU64>);

/// When it is dropped, lines that wait are still written, for a second at most.
#[derive(Debug)]
pub struct Guard(SyncSender<Message>);

impl Dropped {
    /// How many since the last time that somebody asked.
    pub fn take(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

/// Starts the thread that writes to `to`.
///
/// # Errors
/// When there can be no thread.
pub fn start(mut to: impl Write + Send + 'static) -> io::Result<(Lines, Guard)> {
    let (sender, messages) = sync_channel(WAITING);
    thread::Builder::new().name("log".to_owned()).spawn(move || {
        for message in messages {
            match message {
                // Where it cannot be written, nobody can be told.
                Message::Line(line) => drop(to.write_all(&line)),
                Message::End(done) => {
                    drop(to.flush());
                    drop(done);
                }
            }
        }
    })?;
    Ok((Lines { sender: sender.clone(), dropped: Dropped::default() }, Guard(sender)))
}

impl Lines {
    pub fn dropped(&self) -> Dropped {
        self.dropped.clone()
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.sender.try_send(Message::Line(line.to_vec())).is_err() {
            self.dropped.0.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let (done, waits) = sync_channel(0);
        let until = Instant::now() + LAST;
        let mut message = Message::End(done);
        while let Err(TrySendError::Full(again)) = self.0.try_send(message) {
            if Instant::now() >= until {
                return;
            }
            message = again;
            thread::sleep(AGAIN);
        }
        // Ends when the other side is dropped.
        let _ = waits.recv_timeout(until.saturating_duration_since(Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// Writes once it may.
    #[derive(Clone, Default)]
    struct Slow {
        written: Arc<Mutex<Vec<u8>>>,
        open: Arc<(Mutex<bool>, std::sync::Condvar)>,
    }

    impl Slow {
        fn let_go(&self) {
            *self.open.0.lock().unwrap() = true;
            self.open.1.notify_all();
        }
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let open = self.open.0.lock().unwrap();
            drop(self.open.1.wait_while(open, |open| !*open).unwrap());
            self.written.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_stops_reading_stops_nobody_and_lost_lines_are_counted() {
        let slow = Slow::default();
        let (mut lines, guard) = start(slow.clone()).unwrap();
        // This would never return if it waited. One line more than fit may be with the thread.
        for _ in 0..WAITING + 10 {
            lines.write_all(b"line\n").unwrap();
        }
        let dropped = lines.dropped().take();
        assert!((9..=10).contains(&dropped), "{dropped}");
        assert_eq!(lines.dropped().take(), 0);
        slow.let_go();
        drop(guard);
        let written = slow.written.lock().unwrap().len() as u64 / 5;
        assert_eq!(written + dropped, (WAITING + 10) as u64);
    }

    #[test]
    fn the_end_waits_for_nobody() {
        let slow = Slow::default();
        let (mut lines, guard) = start(slow.clone()).unwrap();
        for _ in 0..WAITING + 10 {
            lines.write_all(b"line\n").unwrap();
        }
        drop(guard);
        assert!(slow.written.lock().unwrap().is_empty());
    }
}
