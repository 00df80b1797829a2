//! Protocols that are not HTTP, under connect rules: the server speaks first, or the client's first
//! bytes resemble nothing. A rule against plain HTTP everywhere stands beside them.

use serde_json::{Value, json};

use super::{ask, each, expect_fields, with_clients};

#[tokio::test]
async fn clients_psql() -> anyhow::Result<()> {
    let psql = |options: &str, sql: &str| {
        format!(
            "PGPASSWORD=right-password psql -X -A -t -v ON_ERROR_STOP=1 'host=sql.example user=postgres dbname=postgres {options}' -c \"{sql}\""
        )
    };
    let verified = "sslmode=verify-full sslrootcert=/var/run/exeat/trust/bundle.crt";
    let tls = "select ssl, version from pg_stat_ssl where pid = pg_backend_pid()";
    let asks = [
        ask("in the clear", psql("sslmode=disable", "select 1 + 1"), "2"),
        ask("TLS, with the server's own certificate", psql(verified, tls), "t|TLSv1.3"),
        ask(
            "a large result",
            format!(
                "{} | wc -c",
                psql(verified, "select repeat('x', 99) from generate_series(1, 50000)")
            ),
            "5000000",
        ),
        ask(
            "COPY in, and out",
            format!(
                "t=t$(date +%s%N); seq 100000 | PGPASSWORD=right-password psql -X -q 'host=sql.example user=postgres {verified}' -c \"create table $t (n int)\" -c \"copy $t from stdin\" -c \"copy $t to stdout\" -c \"drop table $t\" | wc -l"
            ),
            "100000",
        ),
        ask(
            "a wrong password",
            format!(
                "{} 2>&1 | grep -c 'password authentication failed'",
                psql(verified, "select 1").replace("right-", "wrong-")
            ),
            "1",
        ),
    ];
    with_clients(async |agent| each(agent, &asks).await).await
}

/// libpq of PostgreSQL 18, which asks in other ways than psql 15: TLS from the first byte, an encryption
/// by GSSAPI that it offers first, longer cancel keys.
#[tokio::test]
async fn clients_psycopg() -> anyhow::Result<()> {
    with_clients(async |agent| {
        let answer = agent.python(include_str!("psycopg.py"), &Value::Null).await?;
        let expected = json!({
            "direct": 50_005_000,
            "direct, large": 5_000_000,
            "asked for": 50_005_000,
            "in the clear": 50_005_000,
            "cancelled": true,
            "cancelled, direct": true,
        });
        expect_fields(&answer, &expected)
    })
    .await
}

#[tokio::test]
async fn clients_ssh() -> anyhow::Result<()> {
    let ssh = "ssh -q -o StrictHostKeyChecking=accept-new agent@shell.example";
    let copy = "-e 'ssh -q -o StrictHostKeyChecking=accept-new'";
    let asks = [
        ask("a key", "mkdir -p ~/.ssh && ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/id_ed25519", ""),
        ask("a command", format!("{ssh} 'echo $USER'"), "agent"),
        ask("much input", format!("head -c 16M /dev/zero | {ssh} wc -c"), "16777216"),
        ask(
            "sftp",
            "head -c 2M /dev/urandom >up && printf 'put up /tmp/up\\nget /tmp/up down\\n' | sftp -q -b - -o StrictHostKeyChecking=accept-new agent@shell.example >/dev/null && cmp up down && echo same",
            "same",
        ),
        ask(
            "rsync",
            format!(
                "mkdir -p tree && head -c 2M /dev/urandom >tree/file && rsync -a {copy} tree/ agent@shell.example:/tmp/tree/ && rsync -a {copy} agent@shell.example:/tmp/tree/ back/ && diff -r tree back && echo same"
            ),
            "same",
        ),
    ];
    with_clients(async |agent| each(agent, &asks).await).await
}

#[tokio::test]
async fn clients_greetings_and_binds() -> anyhow::Result<()> {
    let smtp = "import smtplib; s = smtplib.SMTP('mail.example', 25, timeout=10); s.ehlo(); print(s.sendmail('a@data.example', ['b@mail.example'], 'Subject: x\\r\\n\\r\\n' + 'body\\r\\n' * 100000)); s.quit()";
    let mysql = "import socket; s = socket.create_connection(('sql.example', 3306), 10); d = s.recv(4096); print(d[4], d[5:].split(b'\\0')[0].decode())";
    let asks = [
        ask("SMTP", format!("python3 -c \"{smtp}\""), "{}"),
        ask("a MySQL greeting", format!("python3 -c \"{mysql}\""), "10 8.0.99-exeat"),
        ask(
            "an LDAP bind and a search",
            "ldapsearch -LLL -x -H ldap://ldap.example -D cn=admin,dc=example -w secret -b dc=example -o nettimeout=10 && echo bound",
            "bound",
        ),
    ];
    with_clients(async |agent| each(agent, &asks).await).await
}
