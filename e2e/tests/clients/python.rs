//! Clients of Python: requests, urllib3, httplib2, httpx, aiohttp, websockets, boto3.

use serde_json::{Map, Value, json};

use super::{expect_fields, with_clients};

#[tokio::test]
async fn clients_python() -> anyhow::Result<()> {
    let zeros = "30e14955ebf1352266dc2ff8067e68104607e750abb9d3b36582b8af909fcb58";
    with_clients(async |agent| {
        let job = json!({"echo": "data.example", "live": "live.example", "edge": "edge.example"});
        let answer: Map<String, Value> = agent.python(include_str!("python.py"), &job).await?;
        let uploaded = json!([1_048_576, zeros]);
        let expected = json!({
            "urllib": uploaded, "requests": uploaded, "requests chunked": uploaded, "urllib3": uploaded,
            "httplib2": uploaded, "httpx h1": ["HTTP/1.1", uploaded], "httpx h2": ["HTTP/2", uploaded],
            "aiohttp": uploaded, "requests session": vec![200; 20], "requests stream": 33_554_432,
            "httpx events": ["0", "1", "2"], "aiohttp events": ["0", "1", "2"],
            "websockets": ["text é", 300_000, true], "aiohttp websocket": ["chat", 3_000_000],
            "requests head": [200, "12345"], "http.client 304": [304, 204],
        });
        expect_fields(&answer, &expected)
    })
    .await
}

/// Keys that S3 takes and that URLs have trouble with, each put, listed, read, copied, presigned
/// and deleted by boto3 with its signatures.
#[tokio::test]
async fn clients_boto3() -> anyhow::Result<()> {
    let keys = [
        "plain.txt",
        "a/b/c",
        "a//b",
        "/leading",
        "trailing/",
        "with space",
        "per%2Fcent",
        "per%cent",
        "semi;colon=1",
        "plus+sign",
        "ünï/cödé/🙂",
        "quote'\"",
        "brackets[1]{2}<3>",
        "a|b^c`d\\e",
        "question?mark&and#hash",
        "dots/../../up",
        "./dot",
        "star*(1)!~@$,:",
        "=equals&",
    ];
    with_clients(async |agent| {
        let job = json!({"endpoint": "https://s3.example", "keys": keys});
        let answer: Map<String, Value> = agent.python(include_str!("boto3_keys.py"), &job).await?;
        let expected: Map<String, Value> =
            keys.iter().map(|key| ((*key).to_owned(), json!("ok"))).collect();
        expect_fields(&answer, &Value::Object(expected))?;
        let whole = json!({"listed": keys.len(), "multipart": 12_582_912, "virtual host": "ok"});
        expect_fields(&answer, &whole)
    })
    .await
}
