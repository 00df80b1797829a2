//! After a 101: bytes both ways, under the decision that allowed the upgrade.

use super::Inner;
use super::target::Target;
use crate::gate::{Ending, Recorded, Standing};
use crate::protocol::relay::{Watched, relay};
use crate::refusal::Refusal;
use futures::future::BoxFuture;
use http::header::{CONNECTION, UPGRADE};
use http::{HeaderValue, Response, StatusCode};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

/// What a connection carries once it was upgraded. Carried by the task of the connection, so that the
/// proxy waits for it when it drains.
#[derive(Default)]
pub(super) struct Tunnel(Mutex<Option<BoxFuture<'static, ()>>>);

impl Tunnel {
    fn put(&self, carry: impl Future<Output = ()> + Send + 'static) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::pin(carry));
    }

    /// Carries it to its end, where there is one.
    pub(super) async fn carry(&self) {
        let carry = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(carry) = carry {
            carry.await;
        }
    }
}

/// Passes the server's 101 on and relays once both sides have switched. A 101 that nobody asked
/// for is an error of the server's.
pub(super) fn switch(
    session: &Arc<Inner>,
    target: &Target,
    agent: Option<OnUpgrade>,
    response: Response<Incoming>,
    mut standing: Standing,
    recorded: Recorded,
    mut ending: Ending,
) -> Result<Response<()>, Refusal> {
    let websocket = response
        .headers()
        .get(UPGRADE)
        .is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"));
    let (Some(agent), Some(switch), true) = (agent, &session.switch, websocket && target.websocket)
    else {
        ending.refusal = Some(Refusal::UpstreamProtocol);
        recorded.end(ending);
        return Err(Refusal::UpstreamProtocol);
    };
    switch.open();
    let mut headers = response.headers().clone();
    super::headers::incoming(&mut headers);
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    let mut answer = Response::new(());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *answer.headers_mut() = headers;

    let upstream = hyper::upgrade::on(response);
    let http = session.http.clone();
    session.tunnel.put(async move {
        if let (Ok(agent), Ok(upstream)) = tokio::join!(agent, upstream) {
            let counts = recorded.counts().clone();
            let mut agent = Watched::new(TokioIo::new(agent), counts.clone(), None);
            let mut upstream = TokioIo::new(upstream);
            let (memory, drain) = (&http.memory, &http.drain);
            ending.refusal =
                relay(&mut agent, &mut upstream, &counts, &mut standing, memory, drain).await;
        }
        recorded.end(ending);
    });
    Ok(answer)
}
