//! What a place holds, as it was declared.

use crate::charset::Charset;
use crate::coding::Coding;

/// The layers that were declared for a place, outermost first.
#[derive(Debug, Clone)]
pub(crate) enum Plan {
    /// Nothing was declared: text, or whatever its first bytes show.
    Text,
    /// Codings, the one to take off first at the front.
    Coded(Vec<Coding>, Box<Plan>),
    /// A transfer encoding that not every server heeds: read beside the plain reading.
    Beside(Coding, Box<Plan>),
    Charset(Charset, Box<Plan>),
    /// One JSON text, or several in a row. `joins`: strings at the same path of several are joined.
    Json {
        joins: bool,
    },
    Form,
    Events,
    Multipart(Vec<u8>),
    Frames(Framing, Option<Coding>),
}

/// How messages stand in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Framing {
    /// The whole is base64: grpc-web-text.
    pub(crate) text: bool,
    /// Messages are JSON.
    pub(crate) json: bool,
    /// Flag of the message that ends the stream and holds trailers: 0x80 of grpc-web, 0x02 of Connect.
    pub(crate) end: u8,
}

impl Framing {
    pub(crate) fn of_type(essence: &str) -> Option<Self> {
        let of = |prefix: &str| {
            let rest = essence.strip_prefix(prefix)?;
            (rest.is_empty() || rest.starts_with('+')).then_some(rest == "+json")
        };
        if let Some(json) = of("application/grpc-web-text") {
            return Some(Self { text: true, json, end: 0x80 });
        }
        if let Some(json) = of("application/grpc-web") {
            return Some(Self { text: false, json, end: 0x80 });
        }
        if let Some(json) = of("application/grpc") {
            return Some(Self { text: false, json, end: 0 });
        }
        let json = of("application/connect")?;
        Some(Self { text: false, json, end: 0x02 })
    }
}
