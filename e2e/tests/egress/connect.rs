//! Opaque TCP by name and by range of addresses.

use exeat_e2e::{Case, Host, arrivals_at};

#[tokio::test]
async fn egress_connect_by_name_and_by_range() -> anyhow::Result<()> {
    Case::run(include_str!("connect.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        let Host { name, address } = Host::DATABASE;
        let echo = async |place: &str| {
            agent
                .sh(&format!(
                    "(printf '\\0\\0\\0\\010hello'; sleep 1) | ncat -w 3 {place} | grep -a hello"
                ))
                .await
        };
        for allowed in [format!("{name} 5432"), format!("{address} 9000")] {
            echo(&allowed).await?.expect_success()?;
        }
        for denied in [
            format!("{name} 22"),
            format!("{address} 22"),
            "203.0.113.29 9000".to_owned(),
            format!("{} 5432", Host::OTHER.address),
            format!("{} 9000", Host::EVIL.address),
        ] {
            echo(&denied).await?.expect_failure()?;
        }
        let rows = arrivals_at(Host::DATABASE).await?;
        anyhow::ensure!(rows.iter().all(|row| row.port != 22), "port 22 was reached: {rows:?}");
        case.expect_nothing_forbidden().await
    })
    .await
}

/// A host of `network.connect` alone may be sent TLS, but not that of another name.
#[tokio::test]
async fn egress_connect_holds_tls_to_its_name() -> anyhow::Result<()> {
    Case::run(include_str!("connect.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        let hello = async |server: &str| {
            let host = Host::DATABASE.name;
            // The echo server sends the ClientHello back, which is no ServerHello.
            agent
                .sh(&format!(
                    "timeout 5 openssl s_client -connect {host}:5432 {server} </dev/null 2>&1"
                ))
                .await
        };
        let same = hello("-servername db.example").await?;
        anyhow::ensure!(!same.stdout.contains("read 0 bytes"), "the hello did not pass: {same:?}");
        for server in ["-servername evil.example", "-noservername"] {
            let other = hello(server).await?;
            anyhow::ensure!(other.stdout.contains("read 0 bytes"), "{server}: {other:?}");
        }
        case.expect_nothing_forbidden().await
    })
    .await
}
