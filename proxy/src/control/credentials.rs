//! Values of credentials, as the controller sends them: one line of JSON at once and at every change.
//!
//! They stay in memory. While no controller answers, those that are known stay in use; a proxy that
//! starts meanwhile knows none, and denies what needs one. What a line says is never logged, nor is
//! why it cannot be read: the reason could quote it.

use super::{Client, ControlError};
use crate::credential::Credentials;
use exeat_api::credentials::{MAX_LINE, Set};
use exeat_api::paths::CREDENTIALS;
use exeat_api::snapshots::SILENCE;
use http::StatusCode;
use http_body_util::BodyExt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::time::{sleep, timeout};
use zeroize::Zeroizing;

const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// Why the stream ended.
#[derive(Debug, Error)]
enum CredentialsError {
    #[error(transparent)]
    Control(#[from] ControlError),
    #[error("the controller answered {0}")]
    Status(StatusCode),
    #[error("the stream was silent for thirty seconds")]
    Silent,
    #[error("the stream ended")]
    Ended,
    #[error("a line is longer than eight mebibytes")]
    TooLong,
    #[error("a line cannot be read")]
    Unreadable,
    #[error("a line is for another pod")]
    OtherPod,
}

/// Follows the controller for ever, through its absences.
pub async fn follow(client: &Client, pod_uid: &str, credentials: &Arc<Credentials>) {
    let mut delay = RETRY.0;
    loop {
        let began = Instant::now();
        match one_stream(client, pod_uid, credentials).await {
            // A controller from before there were credentials.
            Err(CredentialsError::Status(StatusCode::NOT_FOUND)) => {}
            Err(error) => tracing::warn!(%error, "Credential stream lost"),
            Ok(never) => match never {},
        }
        if began.elapsed() > SILENCE {
            delay = RETRY.0;
        }
        sleep(delay + Duration::from_millis(rand::random_range(0..200))).await;
        delay = (delay * 2).min(RETRY.1);
    }
}

async fn one_stream(
    client: &Client,
    pod_uid: &str,
    credentials: &Arc<Credentials>,
) -> Result<std::convert::Infallible, CredentialsError> {
    let response = client.stream(CREDENTIALS).await?;
    if response.status() != StatusCode::OK {
        return Err(CredentialsError::Status(response.status()));
    }
    let mut body = response.into_body();
    let mut held = Zeroizing::new(Vec::<u8>::new());
    loop {
        let frame = timeout(SILENCE, body.frame()).await.map_err(|_| CredentialsError::Silent)?;
        let frame = frame.and_then(Result::ok).ok_or(CredentialsError::Ended)?;
        let Ok(data) = frame.into_data() else { continue };
        held.extend_from_slice(&data);
        while let Some(end) = held.iter().position(|byte| *byte == b'\n') {
            receive(&held[..end], pod_uid, credentials)?;
            held.drain(..=end);
        }
        if held.len() > MAX_LINE {
            return Err(CredentialsError::TooLong);
        }
    }
}

fn receive(line: &[u8], pod_uid: &str, credentials: &Credentials) -> Result<(), CredentialsError> {
    let line = line.trim_ascii();
    if line.is_empty() {
        return Ok(());
    }
    let set: Set = serde_json::from_slice(line).map_err(|_| CredentialsError::Unreadable)?;
    if set.pod_uid != pod_uid {
        return Err(CredentialsError::OtherPod);
    }
    tracing::info!(credentials = set.credentials.len(), "Credentials received");
    credentials.replace(set);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_another_pod_or_of_something_else_changes_nothing() {
        let credentials = Credentials::default();
        let line =
            br#"{"podUid":"u","credentials":[{"secret":"s","key":"k","value":"a-secret-value"}]}"#;
        assert!(receive(line, "u", &credentials).is_ok());
        assert!(receive(b"  ", "u", &credentials).is_ok());
        let other = receive(&line.to_ascii_lowercase(), "v", &credentials).unwrap_err();
        let broken =
            receive(b"{\"podUid\":\"a-secret-value\",\"credentials\":1}", "u", &credentials);
        for error in [other, broken.unwrap_err()] {
            assert!(!format!("{error} {error:?}").contains("a-secret-value"));
        }
        let of = exeat_policy::credential::SecretKey {
            namespace: "n".into(),
            name: "s".into(),
            key: "k".into(),
        };
        assert_eq!(credentials.value(&of).unwrap().expose(), "a-secret-value");
    }
}
