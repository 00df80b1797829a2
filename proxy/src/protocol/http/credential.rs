//! The credential of a request: its placeholder is taken out where it belongs, before anything else
//! looks at the request, and the value is put in as the request is sent, after it was recorded.
//!
//! What the agent itself sent in that place never goes out beside the value: neither a header of that
//! name, in another spelling either, nor a parameter of that name, nor another `Authorization`.

use super::headers::is_one_of;
use super::target::Target;
use crate::credential::{Placeholders, Secret};
use crate::gate::Allowed;
use crate::refusal::Refusal;
use base64::Engine as _;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::STANDARD;
use exeat_policy::credential::{Credential, PlaceholderUse, Slot};
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, HeaderName, IF_RANGE, RANGE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::sync::Arc;

/// All but the unreserved characters of RFC 3986, section 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const BASE64: GeneralPurpose = STANDARD;

/// A value, and where it goes as the request is sent.
#[derive(Debug)]
pub(super) struct Injection {
    credential: Arc<Credential>,
    pub(super) secret: Arc<Secret>,
}

/// What stands in the place of a credential.
#[derive(Debug, PartialEq, Eq)]
enum Presented {
    Nothing,
    Placeholder,
    /// Something of the agent's own.
    Other,
}

/// Takes the placeholder out of its place. None: no rule adds a credential.
///
/// # Errors
/// When the value is not known, or the placeholder is asked for and not there.
pub(super) fn take(
    parts: &mut Parts,
    target: &mut Target,
    allowed: &Allowed,
    values: &crate::credential::Credentials,
) -> Result<Option<Injection>, Refusal> {
    let Some(credential) = allowed.credential() else { return Ok(None) };
    let rule = || allowed.decision().rule.as_ref().map(ToString::to_string);
    let placeholders = &allowed.active().placeholders;
    let presented = present(parts, target, credential, placeholders)?;
    if presented != Presented::Placeholder && credential.placeholder == PlaceholderUse::Required {
        return Err(Refusal::CredentialRequired { rule: rule() });
    }
    let secret = values
        .value(&credential.secret)
        .map_err(|reason| Refusal::CredentialUnavailable { rule: rule(), why: reason.as_str() })?;
    Ok(Some(Injection { credential: credential.clone(), secret }))
}

fn present(
    parts: &mut Parts,
    target: &mut Target,
    credential: &Credential,
    placeholders: &Placeholders,
) -> Result<Presented, Refusal> {
    let is = |text: &str| placeholders.is(text, &credential.secret);
    Ok(match &credential.slot {
        Slot::Header { name, before, after } => take_header(&mut parts.headers, name, |text| {
            within(text, before, after).is_some_and(is)
        }),
        Slot::Basic { .. } => take_header(&mut parts.headers, AUTHORIZATION.as_str(), |text| {
            password(text).is_some_and(|password| is(&password))
        }),
        Slot::Query { name } => {
            if target.sent_as.is_some() {
                // What goes out are other bytes than those of the query.
                return Err(Refusal::Malformed(
                    "the query has bytes that URLs cannot have, and a credential is added to it",
                ));
            }
            take_parameter(&mut target.query, name, is)
        }
    })
}

/// Takes the line out where it is the one of its name and holds the placeholder.
fn take_header(headers: &mut HeaderMap, name: &str, is: impl Fn(&str) -> bool) -> Presented {
    let mut lines = headers.iter().filter(|(have, _)| is_one_of(have, &[name]));
    let Some((have, value)) = lines.next() else { return Presented::Nothing };
    let exact = have.as_str() == name && lines.next().is_none();
    if !exact || !value.to_str().is_ok_and(is) {
        return Presented::Other;
    }
    headers.remove(name);
    Presented::Placeholder
}

/// The text between the ends of a template. Schemes of `Authorization` have no letter case.
fn within<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(before.len())?;
    start.eq_ignore_ascii_case(before).then_some(rest)?.strip_suffix(after)
}

/// The password of HTTP Basic (RFC 7617).
fn password(text: &str) -> Option<String> {
    let decoded = BASE64.decode(within(text, "Basic ", "")?.trim()).ok()?;
    let (_, password) = str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some(password.to_owned())
}

/// Takes the parameter out where it is the one of its name and holds the placeholder.
fn take_parameter(query: &mut Option<String>, name: &str, is: impl Fn(&str) -> bool) -> Presented {
    let all = query.as_deref().unwrap_or_default();
    let mut of_name = all.split('&').filter(|one| is_parameter(one, name));
    let Some(first) = of_name.next() else { return Presented::Nothing };
    let value = first.split_once('=').map(|(_, value)| decoded(value)).unwrap_or_default();
    if of_name.next().is_some() || !is(&value) {
        return Presented::Other;
    }
    *query = without_parameter(all, name);
    Presented::Placeholder
}

fn is_parameter(one: &str, name: &str) -> bool {
    decoded(one.split_once('=').map_or(one, |(name, _)| name)) == name
}

fn without_parameter(query: &str, name: &str) -> Option<String> {
    let rest: Vec<&str> = query.split('&').filter(|one| !is_parameter(one, name)).collect();
    let rest = rest.join("&");
    (!rest.is_empty()).then_some(rest)
}

fn decoded(text: &str) -> String {
    let text = text.replace('+', " ");
    percent_decode_str(&text).decode_utf8_lossy().into_owned()
}

impl Injection {
    /// Puts the value into a request that is about to be sent, whatever stands there. May be done
    /// again. The answer must come as it is and whole, so that the value is found in it.
    ///
    /// # Errors
    /// When the request cannot have it.
    pub(super) fn put<B>(&self, request: &mut Request<B>) -> Result<(), Refusal> {
        let impossible = |_| Refusal::Malformed("the credential makes no header or URI");
        let value = self.secret.expose();
        let headers = request.headers_mut();
        for name in [RANGE, IF_RANGE] {
            headers.remove(name);
        }
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        match &self.credential.slot {
            Slot::Header { name, before, after } => {
                let line = HeaderValue::try_from([before, value, after].concat());
                set(headers, name, line.map_err(|_| impossible(()))?)
            }
            Slot::Basic { username } => {
                let pair = BASE64.encode(format!("{username}:{value}"));
                let line = HeaderValue::try_from(format!("Basic {pair}"));
                set(headers, AUTHORIZATION.as_str(), line.map_err(|_| impossible(()))?)
            }
            Slot::Query { name } => {
                let mut parts = request.uri().clone().into_parts();
                let path = parts.path_and_query.as_ref().map_or("/", |all| all.path());
                let query = request.uri().query().unwrap_or_default();
                let rest = without_parameter(query, name).map(|rest| rest + "&");
                let value = utf8_percent_encode(value, RESERVED);
                let all = format!("{path}?{}{name}={value}", rest.unwrap_or_default());
                parts.path_and_query = Some(all.parse().map_err(|_| impossible(()))?);
                *request.uri_mut() = Uri::from_parts(parts).map_err(|_| impossible(()))?;
                Ok(())
            }
        }
    }

    /// Masks the head of an answer.
    ///
    /// # Errors
    /// When the body is encoded although it was asked for as it is: the value could be in it.
    pub(super) fn mask_head<B: http_body::Body>(
        &self,
        response: &mut Response<B>,
    ) -> Result<(), Refusal> {
        let identity = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
        let encoded = !response.headers().get_all(CONTENT_ENCODING).iter().all(identity);
        if encoded && !response.body().is_end_stream() {
            return Err(Refusal::UpstreamEncoded);
        }
        mask_lines(&self.secret, response.headers_mut());
        Ok(())
    }
}

/// Takes the value out of header lines. A name that holds it goes away with its line.
pub(super) fn mask_lines(secret: &Secret, headers: &mut HeaderMap) {
    let echo = secret.echo();
    let named: Vec<HeaderName> = headers
        .keys()
        .filter(|name| echo.mask(&mut name.as_str().as_bytes().to_vec()))
        .cloned()
        .collect();
    for name in named {
        headers.remove(name);
    }
    for value in headers.values_mut() {
        let mut text = value.as_bytes().to_vec();
        if echo.mask(&mut text) {
            *value = HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("***"));
        }
    }
}

/// Writes the one line of this name.
fn set(headers: &mut HeaderMap, name: &str, mut value: HeaderValue) -> Result<(), Refusal> {
    let spelled: Vec<HeaderName> =
        headers.keys().filter(|have| is_one_of(have, &[name])).cloned().collect();
    for other in spelled {
        headers.remove(other);
    }
    value.set_sensitive(true);
    let name = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| Refusal::Malformed("the credential makes no header"))?;
    headers.insert(name, value);
    Ok(())
}

#[cfg(test)]
mod tests;
