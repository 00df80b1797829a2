//! Requests and handshakes that are dressed up as something else, where a connect rule lets
//! something else pass. What counts is what a server receives.

use crate::world::{API, API_AT, World, hello, rule, talk};
use exeat_policy::source::{Mode, Tier};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Longer than a silent client is waited for.
const SILENCE: Duration = Duration::from_millis(300);

/// Keeps what arrives, and answers it with one byte.
fn listen(server: TcpListener) -> Arc<Mutex<Vec<u8>>> {
    let arrived = Arc::new(Mutex::new(Vec::new()));
    let all = arrived.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = server.accept().await {
            let all = all.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while let Ok(read) = stream.read(&mut buffer).await {
                    if read == 0 || stream.write_all(b"!").await.is_err() {
                        break;
                    }
                    all.lock().unwrap().extend_from_slice(&buffer[..read]);
                }
            });
        }
    });
    arrived
}

/// A connect rule for a port, and a request rule that denies a part of what is there.
async fn world(port: u16) -> (World, Arc<Mutex<Vec<u8>>>) {
    let world = World::under(&[
        rule("Allow", "network.connect", &format!("*://api.example.com:{port}")),
        rule("Deny", "network.request", "*://api.example.com/admin/**"),
    ])
    .await;
    let arrived = listen(world.server(port).await);
    (world, arrived)
}

fn requests() -> Vec<Vec<u8>> {
    let rest = "Host: api.example.com:8000\r\n\r\n";
    let mut all = vec![b"GET /admin/\r\n\r\n".to_vec(), b"GET admin/\r\n\r\n".to_vec()];
    for blank in ["\r\n", "\n", " ", "\t", "\0", "\r\n\r\n"] {
        all.push(format!("{blank}GET /admin/ HTTP/1.1\r\n{rest}").into());
    }
    let long = format!("{} /admin/ HTTP/1.1", "M".repeat(40));
    for line in ["GET /admin/ HTTP/1.1 ", "GET\t/admin/\tHTTP/1.1", "get  /admin/ x", &long] {
        all.push(format!("{line}\r\n{rest}").into());
    }
    all
}

fn handshakes() -> Vec<Vec<u8>> {
    let mut version = hello(API);
    version[2] = 5;
    let mut major = hello(API);
    major[1] = 4;
    let mut all = vec![version, major];
    for before in
        [&b"\x15\x03\x01\0\x02\x01\x5a"[..], b"\x16\x03\x01\0\0", b"\x14\x03\x03\0\x01\x01"]
    {
        all.push([before, &hello(API)].concat());
    }
    all.push(b"\x80\x1c\x01\x03\x01\0\x03\0\0\0\x10\0\0\x2f0123456789abcdef".to_vec());
    all
}

#[tokio::test]
async fn requests_in_disguise_are_not_opaque() {
    let (world, arrived) = world(8000).await;
    for request in requests() {
        let answer = talk(world.connect(&format!("{API_AT}:8000")).await, &request).await;
        let request = String::from_utf8_lossy(&request).into_owned();
        assert!(answer.starts_with("HTTP/1.1 4"), "{request:?}: {answer}");
    }
    assert_eq!(*arrived.lock().unwrap(), b"");
}

#[tokio::test]
async fn handshakes_in_disguise_are_not_opaque() {
    let (world, arrived) = world(8000).await;
    for bytes in handshakes() {
        talk(world.connect(&format!("{API_AT}:8000")).await, &bytes).await;
    }
    assert_eq!(*arrived.lock().unwrap(), b"");
}

#[tokio::test]
async fn silence_lets_no_disguise_pass() {
    let (world, arrived) = world(8000).await;
    let mut open = Vec::new();
    for bytes in requests().into_iter().chain(handshakes()) {
        open.push((world.connect(&format!("{API_AT}:8000")).await, bytes));
    }
    tokio::time::sleep(SILENCE).await;
    for (mut stream, bytes) in open {
        // One byte at a time would be put together again.
        let _ = stream.write_all(&bytes[..1]).await;
        tokio::task::yield_now().await;
        let answer = talk(stream, &bytes[1..]).await;
        let refused = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
        assert!(refused || bytes[0] > 0x13, "{bytes:?}: {answer}");
    }
    assert_eq!(*arrived.lock().unwrap(), b"");
}

#[tokio::test]
async fn other_protocols_still_pass() {
    let (world, arrived) = world(8000).await;
    let mut all = Vec::new();
    for bytes in [
        &b"\0\0\0\x08\x04\xd2\x16\x2f"[..],
        b"\0\0\0\x20\0\x03\0\0user\0me\0database\0me\0\0\0",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"EHLO there\r\n",
        b"*1\r\n$4\r\nPING\r\n",
    ] {
        let answer = talk(world.connect(&format!("{API_AT}:8000")).await, bytes).await;
        assert_eq!(answer, "!", "{bytes:?}");
        all.extend_from_slice(bytes);
    }
    assert_eq!(*arrived.lock().unwrap(), all);
}

/// MongoDB's first message may begin like a TLS record.
#[tokio::test]
async fn a_database_on_a_port_of_its_own_is_not_taken_for_tls() {
    let message = b"\x15\x01\0\0\x01\0\0\0\0\0\0\0\xdd\x07\0\0";
    for rules in [
        vec![rule("Allow", "network.connect", "tcp://api.example.com:27017")],
        vec![
            rule("Allow", "network.connect", "tcp://api.example.com:27017"),
            rule("Allow", "network.request", "https://api.example.com/**"),
        ],
    ] {
        let world = World::under(&rules).await;
        let arrived = listen(world.server(27017).await);
        let answer = talk(world.connect(&format!("{API_AT}:27017")).await, message).await;
        assert_eq!(answer, "!");
        assert_eq!(*arrived.lock().unwrap(), message);
    }
}

#[tokio::test]
async fn silence_does_not_free_tls_of_its_name() {
    for resource in ["tcp://api.example.com:443", "*://api.example.com:443"] {
        let world = World::under(&[rule("Allow", "network.connect", resource)]).await;
        let arrived = listen(world.server(443).await);
        for (wait, name, passes) in [
            (Duration::ZERO, "evil.example.com", false),
            (SILENCE, "evil.example.com", false),
            (SILENCE, "203.0.113.10", false),
            (SILENCE, API, true),
        ] {
            for version in [1, 5] {
                let mut bytes = hello(name);
                bytes[2] = version;
                let mut stream = world.connect(&format!("{API_AT}:443")).await;
                tokio::time::sleep(wait).await;
                let _ = stream.write_all(&bytes[..7]).await;
                let answer = talk(stream, &bytes[7..]).await;
                assert_eq!(answer.starts_with('!'), passes, "{resource} {wait:?} {name} {version}");
                let sent = std::mem::take(&mut *arrived.lock().unwrap());
                assert_eq!(sent, if passes { bytes } else { Vec::new() }, "{name}");
            }
        }
        assert!(world.records().await.contains("HostMismatch"));
    }
}

/// A rule may allow what is not TLS and deny TLS.
#[tokio::test]
async fn silence_does_not_free_tls_of_its_deny() {
    let world = World::under(&[
        rule("Allow", "network.connect", "tcp://api.example.com:443"),
        rule("Deny", "network.connect", "tls://*.example.com:443"),
    ])
    .await;
    let arrived = listen(world.server(443).await);
    let stream = world.connect(&format!("{API_AT}:443")).await;
    tokio::time::sleep(SILENCE).await;
    // The proxy answers the handshake, to refuse the requests in it.
    talk(stream, &hello(API)).await;
    assert_eq!(*arrived.lock().unwrap(), b"");
}

#[tokio::test]
async fn a_guardrail_is_not_relayed_past_where_policies_observe() {
    let guard = [rule("Deny", "network.request", "*://api.example.com/admin/**")];
    for observed in [
        vec![],
        vec![rule("Allow", "network.connect", "tcp://**:8000")],
        vec![rule("Deny", "network.connect", "tcp://api.example.com:8000")],
    ] {
        let world = World::under(&[]).await;
        world.policies(&[
            (Tier::Namespaced, Mode::Observe, &observed),
            (Tier::Guardrail, Mode::Enforce, &guard),
        ]);
        let arrived = listen(world.server(8000).await);
        let ask = |path| format!("GET /{path} HTTP/1.1\r\nHost: api.example.com:8000\r\n\r\n");
        let at = format!("{API_AT}:8000");
        let answer = world.raw(&at, &ask("admin/")).await;
        assert!(answer.contains("\"code\":\"GuardrailDeny\""), "{observed:?}: {answer}");
        let answer = world.raw(&at, &format!("\r\n{}", ask("admin/"))).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{observed:?}: {answer}");
        // Nobody could read requests in these.
        assert_eq!(talk(world.connect(&at).await, b"\0\0\0\x08\x04\xd2\x16\x2f").await, "");
        assert_eq!(*arrived.lock().unwrap(), b"", "{observed:?}");
        // The rest is observed.
        world.raw(&at, &ask("other")).await;
        assert!(arrived.lock().unwrap().starts_with(b"GET /other"), "{observed:?}");
    }
}
