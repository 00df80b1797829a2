//! Bytes in the target of a request that URLs should not hold, and that clients send all the
//! same. They arrive as they were sent, but for four that the HTTP library does not know, which are
//! percent-encoded as the URL standard has it: `<`, `>`, a backtick, and in queries `"`.

use super::with_clients;
use serde_json::{Value, json};

#[tokio::test]
async fn clients_odd_targets_arrive_as_sent() -> anyhow::Result<()> {
    let paths = [
        "/@types%2fnode",
        "/api/v4/projects/group%2Fproject/issues",
        "/a;b=1/c;d",
        "//two//slashes//",
        "/%E9",
        "/%252F",
        "/a%5Cb",
        "/%C3%A9/%F0%9F%99%82",
        "/quoted\"here",
        "/<angle>",
        "/[square]",
        "/{curly}",
        "/pipe|caret^backtick`",
        "/raw-é-utf8",
        "/plus+and%20space",
        "/~tilde/!$&'()*+,=:@",
        "/?a=<b>&c[]=1&d={e}|f^g`h\"i",
        "/?raw=é",
        "/?path=/../x//y",
        "/?",
    ];
    let paths: Vec<String> = paths.iter().map(|path| format!("/target{path}")).collect();
    let job = json!({"host": "edge.example", "paths": paths});
    with_clients(async |agent| {
        let seen: Vec<Value> = agent.python(include_str!("targets.py"), &job).await?;
        let wrong: Vec<String> = paths
            .iter()
            .zip(&seen)
            .filter(|(sent, seen)| *seen != *sent && *seen != &Value::String(encoded(sent)))
            .map(|(sent, seen)| format!("{sent} arrived as {seen}"))
            .collect();
        anyhow::ensure!(wrong.is_empty(), "{} failed:\n{}", wrong.len(), wrong.join("\n"));
        Ok(())
    })
    .await
}

fn encoded(path: &str) -> String {
    [("<", "%3C"), (">", "%3E"), ("`", "%60"), ("\"", "%22")]
        .into_iter()
        .fold(path.to_owned(), |path, (from, to)| path.replace(from, to))
}
