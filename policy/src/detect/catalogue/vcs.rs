//! Version control.

use crate::detect::check;
use crate::detect::detector::{Begin, Detector, Edge, Group};

const BASE: Detector = Detector {
    name: "",
    group: Group::Vcs,
    doc: "",
    source: "",
    begin: Begin::Run,
    shape: "",
    check: None,
    edge: Edge::Word,
    standard: true,
    longest: 0,
    positive: &[],
    negative: &[],
};

pub(super) const DETECTORS: &[Detector] = &[
    Detector {
        name: "github-token",
        doc: "GitHub personal, OAuth, app, installation and refresh tokens, with their CRC-32",
        source: "https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/",
        begin: Begin::Anchor { literals: &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], back: 0 },
        shape: "gh[pousr]_[A-Za-z0-9]{36}",
        check: Some(check::GITHUB),
        positive: &[
            "ghp_P7IFsPRgSW8ffyWHPl¦oSUxYPX3xs4j4Farfa",
            "ghs_qHpNLlN7lHm7glnw4k¦qBzME1wwaRlO06qlie",
        ],
        negative: &["ghp_L3snwlXyLdKWUx6kLI¦UASdFRrDR5LoPrjtHz"],
        ..BASE
    },
    Detector {
        name: "github-fine-grained-token",
        doc: "GitHub fine-grained personal access tokens",
        source: "https://docs.github.com/authentication/keeping-your-account-and-data-secure/about-authentication-to-github",
        begin: Begin::Anchor { literals: &["github_pat_"], back: 0 },
        shape: "github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}",
        positive: &[
            "github_pat_EJlHK1sDS9d¦WmyyYWqsmcN_zi5JoOh5V5iLJIgS7gDBpYcR6WqxO¦5dUJT0Ks4LjeL9Fnwqqgf3kvcfjwnX",
        ],
        negative: &["github_pat_EJlHK1sDS9dWmyyYWqsm"],
        ..BASE
    },
    Detector {
        name: "gitlab-token",
        doc: "GitLab personal, project and group access tokens, also routable ones",
        source: "https://docs.gitlab.com/security/tokens/",
        begin: Begin::Anchor { literals: &["glpat-"], back: 0 },
        shape: r"glpat-(?:[A-Za-z0-9_-]{20}|[A-Za-z0-9_-]{27,}\.[a-z0-9]{2}\.[a-z0-9]{9})",
        edge: Edge::Dash,
        longest: 340,
        positive: &[
            "glpat-A82KLNuKs5¦X6C4gWemd9",
            "glpat-XOUZxkDGmlWNQqp¦1qCaiSTcc6ka1WO.01.0zpiq¦e2x0",
        ],
        negative: &["glpat-A8"],
        ..BASE
    },
    Detector {
        name: "gitlab-deploy-token",
        doc: "GitLab deploy, feed and mail tokens",
        source: "https://docs.gitlab.com/security/tokens/",
        begin: Begin::Anchor {
            literals: &["gldt-", "glft-", "glimt-", "glsoat-", "glffct-"],
            back: 0,
        },
        shape: "gl(?:dt|ft|imt|soat|ffct)-[A-Za-z0-9_-]{20,64}",
        edge: Edge::Dash,
        positive: &["gldt-Bbz959dYSv¦ZcYhQWCmkc"],
        negative: &["gldt-Bbz"],
        ..BASE
    },
    Detector {
        name: "gitlab-ci-token",
        doc: "GitLab runner, job, trigger and agent tokens",
        source: "https://docs.gitlab.com/security/tokens/",
        begin: Begin::Anchor {
            literals: &["glrt-", "glrtr-", "glcbt-", "glptt-", "glagent-", "GR1348941"],
            back: 0,
        },
        shape: "(?:gl(?:rt|rtr|cbt|ptt|agent)-|GR1348941)[A-Za-z0-9_.-]{20,80}",
        edge: Edge::Dash,
        positive: &["glrt-08lzHbTX3X¦kL8tXJgs2J"],
        negative: &["glrt-08l"],
        ..BASE
    },
    Detector {
        name: "gitlab-oauth-secret",
        doc: "GitLab secrets of OAuth applications",
        source: "https://docs.gitlab.com/security/tokens/",
        begin: Begin::Anchor { literals: &["gloas-"], back: 0 },
        shape: "gloas-[A-Za-z0-9_-]{64}",
        edge: Edge::Dash,
        positive: &["gloas-l2uB3pGDrk8lRlhs7aDl9lS3euCRlJTZ¦0cUzS6jdQRMj0ldOB0lQ5DCEIziD17em"],
        negative: &["gloas-l2uB3pGDrk8lRlhs7"],
        ..BASE
    },
    Detector {
        name: "atlassian-token",
        doc: "Atlassian API and access tokens, also of Bitbucket, with their CRC-32",
        source: "https://support.atlassian.com/atlassian-account/docs/manage-api-tokens-for-your-atlassian-account/",
        begin: Begin::Anchor { literals: &["ATATT3x", "ATCTT3x"], back: 0 },
        shape: "AT[AC]TT3x[A-Za-z0-9_-]{60,}=[A-F0-9]{8}",
        check: Some(check::ATLASSIAN),
        longest: 512,
        positive: &[
            "ATATT3xFfGF0YZGBvFOBJBelVDbIKA¦d5sMGM2CHVsyz0yAipeI6SAq2qmXd5NyxYbDUatEXUMyWkG3ZXU04NHfemYeDrayTCPTMprZuL3jU4NuNPPO0wiujK9YtZskWEKu62JPXAFQPmRIGHQBt6qxe20jd7e35z3jGYuTtmKXYS=F3ED6550",
        ],
        negative: &[
            "ATATT3xFfGF02Ke0cGbhQUhQLBQrRDsuh0Yc7ZYUPkWM9zcY34Qer0zDkxewdvj3o1H1XzvIxW3uWtBgnmN2hn9bM3fx¦CPkc8iYwoeh01BkQNONbKDmPKYVzITnLVFTfOjTRMQvCiFtivX8E3G75LkltobljS820qke9dK2j4qFj=00000000",
        ],
        ..BASE
    },
    Detector {
        name: "bitbucket-app-password",
        doc: "Bitbucket app passwords",
        source: "https://support.atlassian.com/bitbucket-cloud/docs/app-passwords/",
        begin: Begin::Anchor { literals: &["ATBB"], back: 0 },
        shape: "ATBB[A-Za-z0-9]{24}[A-F0-9]{8}",
        positive: &["ATBBzoxIQGv5ExLJ¦BlbKOILdfg5322CC¦3F59"],
        negative: &["ATBBzoxIQGv5"],
        ..BASE
    },
    Detector {
        name: "sourcegraph-token",
        doc: "Sourcegraph access tokens",
        source: "https://sourcegraph.com/docs/cli/how-tos/creating_an_access_token",
        begin: Begin::Anchor { literals: &["sgp_"], back: 0 },
        shape: "sgp_(?:(?:[a-f0-9]{16}|local)_)?[a-f0-9]{40}",
        positive: &["sgp_aa75a80f¦a67fa4ff_f550e24d805d1eca4b31¦07da31e0301d3dc742e1"],
        negative: &["sgp_aa75a80fa67fa4ff"],
        ..BASE
    },
];
