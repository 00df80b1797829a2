//! How a message says that it is to be read: its headers, as values.

use crate::charset::Charset;
use crate::coding::Coding;
use crate::error::{DecodeError, Why};
use crate::plan::{Framing, Plan};

/// The headers of a message, or of a part, that say how its content is encoded. Each is the value as
/// it came; several lines of one name are joined by commas.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Media {
    pub content_type: Option<String>,
    pub content_encoding: Option<String>,
    /// Codings but `chunked`, which the transport has already taken off.
    pub transfer_encoding: Option<String>,
    /// `grpc-encoding` or `connect-content-encoding`.
    pub message_encoding: Option<String>,
    /// `x-amz-content-sha256`: `STREAMING-…` says that the body is in signed chunks.
    pub amz_content_sha256: Option<String>,
    /// What the messages that come before and after are called in a place: `body` by default.
    pub called: Option<&'static str>,
}

impl Media {
    /// Takes what matters from headers; names may be in any case.
    pub fn from_headers<'a>(headers: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut media = Self::default();
        for (name, value) in headers {
            let place = match name.to_ascii_lowercase().as_str() {
                "content-type" => &mut media.content_type,
                "content-encoding" => &mut media.content_encoding,
                "transfer-encoding" => &mut media.transfer_encoding,
                "grpc-encoding" | "connect-content-encoding" => &mut media.message_encoding,
                "x-amz-content-sha256" => &mut media.amz_content_sha256,
                _ => continue,
            };
            let value = String::from_utf8_lossy(value);
            match place {
                Some(before) => {
                    before.push_str(", ");
                    before.push_str(&value);
                }
                None => *place = Some(value.into_owned()),
            }
        }
        media
    }

    /// A message of this type and nothing else.
    #[must_use]
    pub fn of(content_type: &str) -> Self {
        Self { content_type: Some(content_type.to_owned()), ..Self::default() }
    }

    /// The layers, outermost first. Fails for a coding, a charset or a boundary that cannot be read.
    pub(crate) fn plan(&self) -> Result<Plan, DecodeError> {
        let inner = self.typed()?;
        let mut codings = self.codings()?;
        codings.reverse();
        Ok(if codings.is_empty() { inner } else { Plan::Coded(codings, Box::new(inner)) })
    }

    /// Whether a declared coding compresses, so that reading it needs windows of memory.
    #[must_use]
    pub fn is_compressed(&self) -> bool {
        let lists = [&self.content_encoding, &self.transfer_encoding, &self.message_encoding];
        lists.into_iter().flatten().flat_map(|list| list.split(',')).any(|name| {
            !matches!(
                name.trim().to_ascii_lowercase().as_str(),
                "" | "identity" | "chunked" | "aws-chunked"
            )
        })
    }

    /// Whether it is a sequence of JSON texts, each in a line.
    pub(crate) fn is_lines(&self) -> bool {
        let value = self.content_type.as_deref().unwrap_or_default();
        let essence = value.split([';', ',']).next().unwrap_or("").trim().to_ascii_lowercase();
        matches!(
            essence.as_str(),
            "application/x-ndjson"
                | "application/ndjson"
                | "application/jsonl"
                | "application/x-jsonlines"
                | "application/json-seq"
                | "application/stream+json"
        )
    }

    /// In the order in which they were applied. `aws-chunked` frames what is sent and is the last,
    /// wherever it is listed.
    fn codings(&self) -> Result<Vec<Coding>, DecodeError> {
        let mut codings = Vec::new();
        let mut chunked = self.amz_content_sha256.as_ref().is_some_and(|value| {
            value.trim().get(..10).is_some_and(|begin| begin.eq_ignore_ascii_case("STREAMING-"))
        });
        for list in [&self.content_encoding, &self.transfer_encoding].into_iter().flatten() {
            for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                match Coding::named(name)? {
                    Some(Coding::AwsChunked) => chunked = true,
                    Some(coding) => codings.push(coding),
                    None => {}
                }
            }
        }
        codings.extend(chunked.then_some(Coding::AwsChunked));
        Ok(codings)
    }

    fn typed(&self) -> Result<Plan, DecodeError> {
        let Some(value) = &self.content_type else { return Ok(Plan::Text) };
        let essence = value.split([';', ',']).next().unwrap_or("").trim().to_ascii_lowercase();
        if essence.starts_with("multipart/") {
            let boundary = parameter(value, "boundary").unwrap_or_default();
            if boundary.is_empty() || boundary.len() > 200 {
                return Err(DecodeError::new("multipart", Why::Boundary));
            }
            return Ok(Plan::Multipart(boundary.into_bytes()));
        }
        if let Some(framing) = Framing::of_type(&essence) {
            let coding = match &self.message_encoding {
                Some(name) => Coding::named(name.trim()).map_err(|_| {
                    DecodeError::new(format!("grpc message ({})", shown(name)), Why::Unknown)
                })?,
                None => None,
            };
            return Ok(Plan::Frames(framing, coding));
        }
        let plan = match essence.as_str() {
            "application/x-www-form-urlencoded" => Plan::Form,
            "text/event-stream" => Plan::Events,
            "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/x-jsonlines"
            | "application/json-seq"
            | "application/stream+json" => Plan::Json { joins: true },
            _ if essence.ends_with("/json") || essence.ends_with("+json") => {
                Plan::Json { joins: true }
            }
            _ => Plan::Text,
        };
        match parameter(value, "charset") {
            Some(label) => match Charset::named(&label)? {
                Some(charset) => Ok(Plan::Charset(charset, Box::new(plan))),
                None => Ok(plan),
            },
            None => Ok(plan),
        }
    }
}

/// A name as an error shows it.
pub(crate) fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(32).collect()
}

/// A parameter of a header's value, RFC 9110 §5.6.6: a token, or a quoted string without its quotes and
/// escapes. Names are compared in any case; the first counts.
pub(crate) fn parameter(value: &str, name: &str) -> Option<String> {
    let mut rest = value;
    while let Some(at) = next_semicolon(rest) {
        rest = rest.get(at + 1..)?.trim_start();
        let end = rest.find(['=', ';']).unwrap_or(rest.len());
        let (key, behind) = rest.split_at_checked(end)?;
        let Some(text) = behind.strip_prefix('=') else { continue };
        if key.trim().eq_ignore_ascii_case(name) {
            return Some(unquoted(text.trim_start()));
        }
        rest = text;
    }
    None
}

/// The first semicolon that is in no quoted string.
fn next_semicolon(text: &str) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    text.bytes().position(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b';' if !quoted => return true,
            _ => {}
        }
        false
    })
}

fn unquoted(text: &str) -> String {
    let Some(quoted) = text.strip_prefix('"') else {
        return text.split([';', ',']).next().unwrap_or("").trim().to_owned();
    };
    let mut out = String::new();
    let mut chars = quoted.chars();
    while let Some(char) = chars.next() {
        match char {
            '"' => break,
            '\\' => out.extend(chars.next()),
            other => out.push(other),
        }
    }
    out
}
