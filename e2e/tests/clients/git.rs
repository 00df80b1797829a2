//! git, against its own server programs: over HTTPS (`git http-backend`), SSH and git's protocol.

use super::{ask, each, with_clients};

const WORK: &str = "export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@a GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@a; \
                    export GIT_SSH_COMMAND='ssh -o StrictHostKeyChecking=accept-new';";
/// Three commits and a file of 3 MiB.
const SEEN: &str = "git log --oneline | wc -l; git tag; wc -c <blob";
const EXPECTED: &str = "3\nv1\n3145728";

#[tokio::test]
async fn clients_git_over_https() -> anyhow::Result<()> {
    let seed = "https://git.example/seed.git";
    let pushed = "https://git.example/pushed.git";
    // More than http.postBuffer, so that it goes in chunks.
    let commit = "git checkout -q -b $branch && openssl rand 5000000 >large && git add -A && git commit -qm more";
    let asks = [
        ask("clone", format!("git clone -q {seed} one && cd one && {SEEN}"), EXPECTED),
        ask(
            "a shallow clone",
            format!("git clone -q --depth 1 {seed} two && cd two && git log --oneline | wc -l"),
            "1",
        ),
        ask(
            "a partial clone, and what it leaves out",
            format!(
                "git clone -q --filter=blob:none --no-checkout {seed} three && cd three && git cat-file -s HEAD:blob"
            ),
            "3145728",
        ),
        ask(
            "the old protocol",
            format!("git -c protocol.version=0 ls-remote -q {seed} v1 | cut -f 2"),
            "refs/tags/v1",
        ),
        ask("fetch", "cd one && git fetch -q origin && git rev-parse origin/main | wc -c", "41"),
        ask(
            "push, and fetch it again",
            format!(
                "{WORK} branch=b$(date +%s%N); cd one && {commit} && git push -q {pushed} $branch && \
                 git fetch -q {pushed} $branch && [ $(git rev-parse FETCH_HEAD) = $(git rev-parse HEAD) ] && echo same"
            ),
            "same",
        ),
    ];
    with_clients(async |agent| each(agent, &asks).await).await
}

#[tokio::test]
async fn clients_git_over_ssh_and_its_own_protocol() -> anyhow::Result<()> {
    let key = "mkdir -p ~/.ssh && ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/id_ed25519";
    let pushed = "ssh://agent@shell.example/srv/git/pushed.git";
    let asks = [
        ask("a key", key, ""),
        ask(
            "git://",
            format!("git clone -q git://git.example/seed.git own && cd own && {SEEN}"),
            EXPECTED,
        ),
        ask(
            "ssh://",
            format!(
                "{WORK} git clone -q ssh://agent@shell.example/srv/git/seed.git ssh && cd ssh && {SEEN}"
            ),
            EXPECTED,
        ),
        ask(
            "push over SSH",
            format!(
                "{WORK} branch=s$(date +%s%N); cd ssh && git checkout -q -b $branch && git push -q {pushed} $branch && \
                 git ls-remote -q {pushed} $branch | wc -l"
            ),
            "1",
        ),
    ];
    with_clients(async |agent| each(agent, &asks).await).await
}
