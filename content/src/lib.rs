//! Decodes everything in which content can hide, for scanning.

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
mod media;
mod message;
mod multipart;
mod node;
mod place;
mod plan;
mod runs;
mod sink;
mod sse;
mod start;
mod structure;
mod view;
pub mod websocket;

pub use decoder::Decoder;
pub use error::{DecodeError, Why};
pub use limits::{Limits, STEP};
pub use media::Media;
pub use place::Place;
pub use sink::{Sink, StreamId};
