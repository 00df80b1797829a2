//! Services of the cluster, called by their short names.

use crate::world::{API_SERVER_AT, ORDERS_AT, OWN_AT, World, allow, rule, talk};
use rustls::ServerConfig;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

fn get(host: &str) -> String {
    format!("GET /v1 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
}

#[tokio::test]
async fn every_form_of_a_rule_lets_every_form_of_a_request_pass_as_it_came() {
    for named in ["orders.prod", "orders.prod.svc", "orders.prod.svc.cluster.local"] {
        let world = World::under(&[allow(&format!("http://{named}/**"))]).await;
        for host in ["orders.prod", "orders.prod.svc", "orders.prod.svc.cluster.local"] {
            let answer = world.raw(&format!("{ORDERS_AT}:80"), &get(host)).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{named} {host}: {answer}");
            assert!(answer.contains(&format!("\nhost: {host}\n")), "{named} {host}: {answer}");
        }
    }
    let world = World::under(&[allow("http://orders/**")]).await;
    for host in ["orders", "Orders.agents.", "orders.agents.svc:80"] {
        let answer = world.raw(&format!("{OWN_AT}:80"), &get(host)).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{host}: {answer}");
    }
    let records = world.records().await;
    assert!(records.contains("http://orders.agents.svc.cluster.local/v1"), "{records}");
}

#[tokio::test]
async fn a_service_is_not_called_by_another_name() {
    let world = World::under(&[allow("http://orders.prod/**"), allow("http://orders/**")]).await;
    for host in ["orders", "prod", "orders.agents", "billing.prod", "orders.prod.svc.evil.example"]
    {
        let answer = world.raw(&format!("{ORDERS_AT}:80"), &get(host)).await;
        assert!(!answer.starts_with("HTTP/1.1 200"), "{host}: {answer}");
        assert!(answer.contains("HostMismatch"), "{host}: {answer}");
    }
    assert_eq!(world.reached().0, 0);
}

/// `orders.dev` is a host that anybody could register; `dev` could be a namespace too.
#[tokio::test]
async fn a_host_and_a_service_of_one_name_stay_apart() {
    let (service, host) = ("198.18.0.6:80", "198.18.0.7:80");
    let world = World::under(&[allow("http://orders.dev/**")]).await;
    assert!(world.raw(host, &get("orders.dev")).await.starts_with("HTTP/1.1 200"));
    assert!(!world.raw(service, &get("orders.dev")).await.starts_with("HTTP/1.1 200"));
    let world = World::under(&[allow("http://orders.dev.svc/**")]).await;
    assert!(!world.raw(host, &get("orders.dev")).await.starts_with("HTTP/1.1 200"));
    assert!(world.raw(service, &get("orders.dev")).await.starts_with("HTTP/1.1 200"));
    let denied = rule("Deny", "network.request", "http://orders.dev/**");
    for allowed in ["http://orders.dev/**", "http://orders.dev.svc/**"] {
        let world = World::under(&[allow(allowed), denied.clone()]).await;
        for at in [host, service] {
            let answer = world.raw(at, &get("orders.dev")).await;
            assert!(!answer.starts_with("HTTP/1.1 200"), "{allowed} {at}: {answer}");
        }
    }
}

/// A private address is reached by a rule that names the Service, and by no wider one.
#[tokio::test]
async fn everything_is_no_name_of_a_service() {
    for (resource, passes) in [
        ("http://**", false),
        ("http://*.cluster.local/**", false),
        ("http://*.svc/**", true),
        ("http://*.prod.svc/**", true),
        ("http://orders.prod:8080/**", false),
        ("http://orders.prod/v2/**", false),
    ] {
        let world = World::under(&[allow(resource)]).await;
        let answer = world.raw(&format!("{ORDERS_AT}:80"), &get("orders.prod")).await;
        assert_eq!(answer.starts_with("HTTP/1.1 200"), passes, "{resource}: {answer}");
        assert_eq!(world.reached().0, usize::from(passes), "{resource}");
    }
}

/// Answers every request with 200.
fn answer(listener: TcpListener, mut config: ServerConfig) {
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                tokio::spawn(async move { talk(stream, answer).await });
            }
        }
    });
}

/// The authority of the API server is trusted for its own names, and for no others.
#[tokio::test]
async fn the_api_server_is_trusted_by_the_clusters_authority_alone() {
    let rules = [allow("https://kubernetes.default.svc/**"), allow("https://orders.prod:8443/**")];
    let world = World::under(&rules).await;
    let name = "kubernetes.default.svc";
    answer(world.server(443).await, world.api_server_config(name));
    for called in [name, "kubernetes.default.svc.cluster.local"] {
        let stream = world.connect_tls(&format!("{API_SERVER_AT}:443"), called, &[]).await;
        let answer = talk(stream, get(called).as_bytes()).await;
        // The certificate is for one of the names.
        assert_eq!(answer.starts_with("HTTP/1.1 200"), called == name, "{called}: {answer}");
    }
    answer(world.server(8443).await, world.api_server_config("orders.prod"));
    let stream = world.connect_tls(&format!("{ORDERS_AT}:8443"), "orders.prod", &[]).await;
    let answer = talk(stream, get("orders.prod:8443").as_bytes()).await;
    assert!(answer.contains("UpstreamTls"), "{answer}");
}

/// The server's certificate is for the name that the agent asked for, as it would be without us.
#[tokio::test]
async fn a_service_with_tls_answers_to_the_name_that_was_asked_for() {
    let world = World::under(&[allow("https://orders.prod:8443/**")]).await;
    answer(world.server(8443).await, world.server_config("orders.prod.svc"));
    let at = format!("{ORDERS_AT}:8443");
    for (name, passes) in [("orders.prod.svc", true), ("orders.prod", false)] {
        let stream = world.connect_tls(&at, name, &["http/1.1"]).await;
        let answer = talk(stream, get(&format!("{name}:8443")).as_bytes()).await;
        assert_eq!(answer.starts_with("HTTP/1.1 200"), passes, "{name}: {answer}");
    }
}

#[tokio::test]
async fn tls_that_passes_through_may_ask_by_a_short_name() {
    let world = World::under(&[rule("Allow", "network.connect", "tls://orders.prod:8443")]).await;
    let listener = world.server(8443).await;
    let seen = tokio::spawn(async move {
        let mut seen = 0;
        while let Ok((stream, _)) = listener.accept().await {
            let mut first = [0; 1];
            if stream.peek(&mut first).await.is_ok_and(|read| read == 1) {
                seen += 1;
            }
            if seen == 2 {
                break;
            }
        }
        seen
    });
    let at = format!("{ORDERS_AT}:8443");
    talk(world.connect(&at).await, &crate::world::hello("orders.prod.svc")).await;
    talk(world.connect(&at).await, &crate::world::hello("orders")).await;
    talk(world.connect(&at).await, &crate::world::hello("orders.prod")).await;
    assert_eq!(seen.await.unwrap(), 2);
    assert_eq!(world.reached().0, 2);
}
