//! Decodes everything in which content can hide, for scanning.
//!
//! Values in, values out: no clock, no network, no runtime. A [`Decoder`] is made from what a message's
//! headers declare ([`Media`]) and takes the body as it comes. It gives *streams* to a [`Sink`]: each is
//! one decoding of one place, contiguous, so that one matcher a stream suffices.
//!
//! ```
//! use exeat_content::{Decoder, Limits, Media, Place, Sink, StreamId};
//!
//! #[derive(Default)]
//! struct Print(Vec<String>);
//! impl Sink for Print {
//!     fn open(&mut self, _: StreamId, _: &Place<'_>) {}
//!     fn fork(&mut self, _: StreamId, _: StreamId, _: &Place<'_>) {}
//!     fn text(&mut self, _: StreamId, at: &Place<'_>, text: &[u8]) {
//!         self.0.push(format!("{at}: {}", String::from_utf8_lossy(text)));
//!     }
//!     fn close(&mut self, _: StreamId, _: &Place<'_>) {}
//! }
//!
//! let mut sink = Print::default();
//! let mut decoder = Decoder::new(&Media::of("application/json"), Limits::default());
//! decoder.push(br#"{"messages":[{"content":"a\u0062"}]}"#, &mut sink)?;
//! decoder.finish(&mut sink)?;
//! assert!(sink.0.contains(&"body.messages[0].content: ab".to_owned()));
//! # Ok::<_, exeat_content::DecodeError>(())
//! ```
//!
//! # What is read
//!
//! - The body as sent is always a stream.
//! - **Declared** layers fail hard, as a [`DecodeError`] that names the layer: content and transfer
//!   codings (`gzip`, `deflate`, `br`, `zstd`, `aws-chunked`, in any stack), multipart, frames of gRPC,
//!   gRPC-Web and Connect with their compression, charsets, and any of these by a name that is not known.
//! - JSON, forms and events never fail. A JSON text that breaks off is read as text from there; what stood
//!   before has been read. JSON is also read where nobody declared it, at the first `{` or `[`: in
//!   strings, parts, fields, and in what base64 stands for.
//! - **Speculative** layers are read beside the plain text and never instead of it: base64, base64url and
//!   hex in runs; percent, entities, backslash escapes, UTF-7 and zeros as other readings of the whole
//!   text, forked at their first escape; compression and UTF-16 or UTF-32 that the first bytes show. What
//!   does not decode is simply no stream. Limits hold for them too: a bomb is an error, declared or not.
//! - Strings at the same path of consecutive JSON texts (events, lines, messages, the elements of an array
//!   at the top) are joined in one more stream. Numbers at keys that end in `index` are part of the path,
//!   since model APIs number their choices and blocks so.
//!
//! # What holds
//!
//! - **Any cut of the body gives the same streams, texts, places, and error.** The numbers of streams, and
//!   the order of events of different streams, are not part of that; nor is how far other streams had
//!   come when an error ends all. At the very edge of a limit, and where a brotli stream is damaged, which
//!   layer is named may depend on the cut; that there is an error does not.
//! - **Memory**: [`Limits::memory`] for decompressors, and [`Limits::streams`] times [`STREAM`] for all
//!   else: 52 MiB by default at the very worst, a few KiB for most bodies.
//! - **Work**: decoded text is at most [`Limits::output_base`] and [`Limits::output_per_input`] for each
//!   byte of the body, and [`Limits::output_total`]. A stream's begin costs 32 bytes.
//! - No bytes make it panic.
//!
//! # What is not read
//!
//! Git packs, archives, pictures and documents are opaque, but for text that stands raw in them. Base64 that
//! begins behind more than three characters of the same alphabet, which are no separators, is read at the
//! wrong place. Percent and entities are decoded twice, other escapes once, and three such readings at
//! most stand on top of one another. A private encoding hides anything: see the threat model.

mod charset;
mod coding;
mod decoder;
mod error;
pub mod fold;
mod form;
mod frames;
mod joins;
mod json;
mod limits;
pub mod mask;
mod media;
mod message;
mod multipart;
mod node;
mod place;
mod plan;
mod runs;
mod scan;
mod sink;
mod sse;
mod start;
mod structure;
mod view;
pub mod websocket;

pub use decoder::Decoder;
pub use error::{DecodeError, Why};
pub use limits::{Limits, STEP, STREAM};
pub use mask::{Masker, Masks, mask_memory};
pub use media::Media;
pub use place::Place;
pub use scan::{Found, Scan, What, scan_head, scan_memory, scan_text};
pub use sink::{Sink, StreamId};
