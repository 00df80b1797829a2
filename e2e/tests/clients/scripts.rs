//! Clients that read the system's certificates: wget, PHP, Perl, OpenSSL's own.

use super::{ask, each, with_clients};

const DIGEST: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"; // of "hello"

#[tokio::test]
async fn clients_wget() -> anyhow::Result<()> {
    let url = "https://data.example";
    let asks = [
        ask("a file", format!("wget -q -O - {url}/bytes/10000000 | wc -c"), "10000000"),
        ask(
            "a post",
            format!("wget -q -O - --post-data=hello {url}/up | grep -o {DIGEST}"),
            DIGEST,
        ),
        ask("a failure", format!("wget -q -O /dev/null {url}/status/404; echo $?"), "8"),
        ask(
            "HEAD",
            "wget -q -S --spider https://edge.example/length 2>&1 | grep -ci 'content-length: 12345'",
            "1",
        ),
    ];
    with_clients(async |agent| each(agent, &asks).await).await
}

#[tokio::test]
async fn clients_php_and_perl() -> anyhow::Result<()> {
    let url = "https://data.example";
    let php = |code: &str| format!("php -r '{code}'");
    let seen = "echo json_decode($r)->bodySha256;";
    let asks = [
        ask(
            "PHP's streams",
            php(&format!(
                "$r = file_get_contents(\"{url}/up\", false, stream_context_create([\"http\" => [\"method\" => \"POST\", \"content\" => \"hello\"]])); {seen}"
            )),
            DIGEST,
        ),
        ask(
            "PHP's curl",
            php(&format!(
                "$c = curl_init(\"{url}/up\"); curl_setopt_array($c, [CURLOPT_POSTFIELDS => \"hello\", CURLOPT_RETURNTRANSFER => true]); $r = curl_exec($c); if ($r === false) echo curl_error($c); else {seen}"
            )),
            DIGEST,
        ),
        ask(
            "Perl's LWP",
            format!(
                "perl -MLWP::UserAgent -e '$r = LWP::UserAgent->new->post(q({url}/up), Content => q(hello)); print $r->is_success ? $r->decoded_content : $r->status_line' | grep -o {DIGEST}"
            ),
            DIGEST,
        ),
        ask(
            "Perl's HTTP::Tiny",
            format!(
                "perl -MHTTP::Tiny -e '$r = HTTP::Tiny->new(verify_SSL => 1)->request(POST => q({url}/up), {{content => q(hello)}}); print $r->{{content}}' | grep -o {DIGEST}"
            ),
            DIGEST,
        ),
        ask(
            "openssl s_client",
            "openssl s_client -connect data.example:443 -servername data.example -verify_return_error </dev/null 2>/dev/null | grep -m 1 -c 'Verify return code: 0 (ok)'",
            "1",
        ),
    ];
    with_clients(async |agent| each(agent, &asks).await).await
}
