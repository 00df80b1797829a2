//! Addresses in every spelling: none of them is a name, and none is named by a rule.

use exeat_e2e::{Case, Host};

#[tokio::test]
async fn bypass_ip_literals() -> anyhow::Result<()> {
    Case::run(include_str!("agent.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        // 203.0.113.90: decimal, hexadecimal, octal, short, mixed; then carried in IPv6.
        let literals = [
            Host::OTHER.address,
            "3405803866",
            "0xcb00715a",
            "0313.0.0161.0132",
            "203.0.29018",
            "0xcb.0.0x71.90",
            "203.0.113.90.",
            "[::ffff:203.0.113.90]",
            "[::ffff:cb00:715a]",
            "[64:ff9b::cb00:715a]",
            "[64:ff9b::203.0.113.90]",
            "[::203.0.113.90]",
            "[2002:cb00:715a::1]",
        ];
        let script = literals
            .iter()
            .flat_map(|literal| [format!("https://{literal}/"), format!("http://{literal}/")]);
        let script = script
            .map(|url| format!("curl -gks -m 5 -o /dev/null -w '%{{http_code}} {url}\\n' '{url}'"));
        let output = agent.sh(&script.collect::<Vec<_>>().join("; ")).await?;
        let lines: Vec<&str> = output.stdout.lines().collect();
        anyhow::ensure!(lines.len() == 2 * literals.len(), "{output:?}");
        for line in &lines {
            // Refused by the proxy, or no name and no route: nothing else.
            anyhow::ensure!(line.starts_with("403 ") || line.starts_with("000 "), "{line}");
        }
        let captured = lines.iter().filter(|line| line.starts_with("403 ")).count();
        anyhow::ensure!(captured >= 12, "fewer were captured than curl can dial: {lines:?}");
        case.expect_nothing_forbidden().await
    })
    .await
}

/// Each way to write 169.254.169.254, and metadata services elsewhere.
#[tokio::test]
async fn bypass_metadata_in_other_spellings() -> anyhow::Result<()> {
    Case::run(include_str!("agent.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        for literal in [
            "169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "169.16689662",
            "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "100.100.100.200", "168.63.129.16",
        ] {
            let url = format!("http://{literal}/latest/meta-data/");
            agent.curl(&format!("-g {url}")).await?.expect_refusal("")?;
        }
        for literal in ["[fd00:ec2::254]", "[64:ff9b::a9fe:a9fe]", "[fe80::a9fe:a9fe]"] {
            agent.curl(&format!("-g http://{literal}/")).await?.expect_failure_or_refusal()?;
        }
        agent
            .curl("-H 'Metadata-Flavor: Google' -H 'Host: metadata.google.internal' http://169.254.169.254/computeMetadata/v1/")
            .await?
            .expect_refusal("")?;
        case.expect_nothing_forbidden().await
    })
    .await
}
