//! Bytes in the target of a request that URLs should not hold, and that clients send all the
//! same. They arrive as they were sent, over HTTP/1.1 and HTTP/2.

use super::with_clients;
use serde_json::json;

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
        "/?query=up>0",
        "/?path=/../x//y",
        "/?",
    ];
    // As text in Latin-1, which has bytes that are not UTF-8 too.
    let latin = |path: &str| path.bytes().map(char::from).collect::<String>();
    let mut paths: Vec<String> =
        paths.iter().map(|path| latin(&format!("/target{path}"))).collect();
    paths.push("/target/caf\u{e9}?\u{ff}<".to_owned());
    let job = json!({"host": "edge.example", "paths": paths});
    with_clients(async |agent| {
        let seen: Vec<[String; 2]> = agent.python(include_str!("targets.py"), &job).await?;
        let wrong: Vec<String> = paths
            .iter()
            .zip(&seen)
            .filter(|(sent, seen)| **seen != [(*sent).clone(), by_curl(sent)])
            .map(|(sent, seen)| format!("{sent} arrived as {seen:?}"))
            .collect();
        anyhow::ensure!(wrong.is_empty(), "{} failed:\n{}", wrong.len(), wrong.join("\n"));
        Ok(())
    })
    .await
}

/// What curl makes of a target (Latin-1): it encodes bytes of the path that are not ASCII itself.
fn by_curl(target: &str) -> String {
    let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
    let encode = |byte: char| match byte {
        ascii if ascii.is_ascii() => ascii.to_string(),
        high => format!("%{:02x}", u32::from(high)),
    };
    path.chars().map(encode).chain([query.to_owned()]).collect()
}
