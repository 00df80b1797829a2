//! Package managers against real package servers: pip and pypiserver, npm and pnpm and Verdaccio,
//! cargo and a sparse index.

use super::{ask, each, with_clients};

#[tokio::test]
async fn clients_pip() -> anyhow::Result<()> {
    let index = "--index-url https://pypi.example/simple/";
    let pip = format!("pip install -q --no-cache-dir --disable-pip-version-check {index}");
    let asks = [
        ask(
            "install",
            format!(
                "{pip} --target one six && PYTHONPATH=one python -c 'import six; print(six.__version__, six.__file__.startswith(\"/home\"))'"
            ),
            "1.17.0 True",
        ),
        ask(
            "a compiled wheel, with the system's pip",
            format!(
                "/usr/bin/python3 -m venv own && own/bin/{pip} pydantic_core --no-deps && ls own/lib/python3*/site-packages | grep -c '^pydantic_core$'"
            ),
            "1",
        ),
        ask(
            "versions",
            format!(
                "pip index versions six {index} --disable-pip-version-check 2>/dev/null | head -1"
            ),
            "six (1.17.0)",
        ),
        ask(
            "a package that is not there",
            format!("{pip} not-there 2>&1 | grep -c 'No matching distribution'"),
            "1",
        ),
    ];
    with_clients(async |agent| each(agent, &asks).await).await
}

/// Makes a user of the registry with a token, and a scoped package.
const PREPARE: &str = r#"
name=u$(date +%s%N)
token=$(curl -sS --fail -X PUT -H 'Content-Type: application/json' -d "{\"name\":\"$name\",\"password\":\"right-password\"}" https://npm.example/-/user/org.couchdb.user:$name | node -p 'JSON.parse(require("fs").readFileSync(0)).token')
printf 'registry=https://npm.example/\n//npm.example/:_authToken=%s\nupdate-notifier=false\naudit=false\nfund=false\nprovenance=false\n' "$token" >~/.npmrc
mkdir -p package && cd package
printf '{"name":"@%s/scoped","version":"1.2.3","main":"index.js"}' "$name" >package.json
echo 'module.exports = "from a scoped package"' >index.js
head -c 2000000 /dev/urandom >blob
echo $name >~/name
"#;

#[tokio::test]
async fn clients_npm_and_pnpm() -> anyhow::Result<()> {
    let uses = r#"node -p 'require(`@${process.argv[1]}/scoped`)' $(cat ~/name)"#;
    let asks = [
        ask("a user and a package", PREPARE, ""),
        ask("whoami", "[ $(npm whoami) = $(cat ~/name) ] && echo same", "same"),
        ask(
            "publish a scoped package",
            "cd package && npm publish --access public 2>/dev/null | cut -d @ -f 3",
            "1.2.3",
        ),
        ask("view it", "npm view @$(cat ~/name)/scoped version", "1.2.3"),
        ask(
            "npm install",
            format!(
                "mkdir with-npm && cd with-npm && npm init -y >/dev/null && npm install --silent @$(cat ~/name)/scoped && {uses}"
            ),
            "from a scoped package",
        ),
        ask(
            "npm ci",
            format!(
                "cd with-npm && rm -rf node_modules && npm ci --silent --cache /tmp/other && {uses}"
            ),
            "from a scoped package",
        ),
        ask(
            "pnpm add",
            format!(
                "mkdir with-pnpm && cd with-pnpm && npm init -y >/dev/null && pnpm add --silent @$(cat ~/name)/scoped >/dev/null && {uses}"
            ),
            "from a scoped package",
        ),
        ask(
            "tag it",
            "npm dist-tag add @$(cat ~/name)/scoped@1.2.3 stable >/dev/null && npm dist-tag ls @$(cat ~/name)/scoped | grep stable",
            "stable: 1.2.3",
        ),
        ask(
            "unpublish it",
            "npm unpublish --force --silent @$(cat ~/name)/scoped@1.2.3 >/dev/null 2>&1; npm view @$(cat ~/name)/scoped version 2>&1 | grep -c E404",
            "1",
        ),
    ];
    with_clients(async |agent| each(agent, &asks).await).await
}

#[tokio::test]
async fn clients_cargo() -> anyhow::Result<()> {
    let manifest = "[package]\nname = \"a\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\nsample-crate = { version = \"1\", registry = \"test\" }\n";
    let index = "CARGO_REGISTRIES_TEST_INDEX=sparse+https://crates.example/ CARGO_HOME=~/cargo";
    let asks = [
        ask(
            "a manifest",
            format!(
                "mkdir -p a/src && touch a/src/lib.rs && printf '%s' '{manifest}' >a/Cargo.toml"
            ),
            "",
        ),
        ask(
            "resolve",
            format!(
                "cd a && {index} cargo generate-lockfile -q && grep -c 'name = \"sample-crate\"' Cargo.lock"
            ),
            "1",
        ),
        ask(
            "fetch, with its checksum",
            format!(
                "cd a && {index} cargo vendor -q >/dev/null && grep -o 'from a crate' vendor/sample-crate/src/lib.rs"
            ),
            "from a crate",
        ),
    ];
    with_clients(async |agent| each(agent, &asks).await).await
}
