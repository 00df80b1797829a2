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
            "ghp_jGYuTtmKXYSP7IFsPR¦gSW8ffyWHPlo0Anhji",
            "ghs_SUxYPX3xs4jqHpNLlN¦7lHm7glnw4kq0ZhkZh",
        ],
        negative: &["ghp_BzME1wwaRlOL3snwlX¦yLdKWUx6kLIUASdFRr"],
        ..BASE
    },
    Detector {
        name: "github-fine-grained-token",
        doc: "GitHub fine-grained personal access tokens",
        source: "https://docs.github.com/authentication/keeping-your-account-and-data-secure/about-authentication-to-github",
        begin: Begin::Anchor { literals: &["github_pat_"], back: 0 },
        shape: "github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}",
        positive: &[
            "github_pat_DR5LoPrjtHz¦EJlHK1sDS9d_WmyyYWqsmcNzi5JoOh5V5iLJIgS7g¦DBpYcR6WqxO5dUJT0Ks4LjeL9Fnwqq",
        ],
        negative: &["github_pat_DR5LoPrjtHzEJlHK1sDS9d_WmyyYWqsmcNzi5JoOh5V5iLJIgS7"],
        ..BASE
    },
    Detector {
        name: "gitlab-token",
        doc: "GitLab personal, project and group access tokens, also routable ones",
        source: "https://docs.gitlab.com/security/tokens/",
        begin: Begin::Anchor { literals: &["glpat-"], back: 0 },
        shape: r"glpat-(?:[A-Za-z0-9_-]{20}|[A-Za-z0-9_-]{27,300}\.[a-z0-9]{2}\.[a-z0-9]{9})",
        edge: Edge::Dash,
        positive: &[
            "glpat-gf3kvcfjwn¦XA82KLNuKs",
            "glpat-5X6C4gWemd9XOUZ¦xkDGmlWNQqp1qCa.01.08st2¦20wo",
        ],
        negative: &["glpat-gf3kvcfjwnX"],
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
        positive: &["gldt-0ZPIQE8cwX¦aBbz959dYS"],
        negative: &["gldt-0ZPIQE8cwXa"],
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
        positive: &["glrt-vZcYhQWCmk¦c08lzHbTX3"],
        negative: &["glrt-vZcYhQWCmkc"],
        ..BASE
    },
    Detector {
        name: "gitlab-oauth-secret",
        doc: "GitLab secrets of OAuth applications",
        source: "https://docs.gitlab.com/security/tokens/",
        begin: Begin::Anchor { literals: &["gloas-"], back: 0 },
        shape: "gloas-[A-Za-z0-9_-]{64}",
        edge: Edge::Dash,
        positive: &["gloas-XkL8tXJgs2Jl2uB3pGDrk8lRlhs7aDl9¦lS3euCRlJTZ0cUzS6jdQRMj0ldOB0lQ5"],
        negative: &["gloas-XkL8tXJgs2Jl2uB3pGDrk8lRlhs7aDl9lS3euCRl"],
        ..BASE
    },
    Detector {
        name: "atlassian-token",
        doc: "Atlassian API and access tokens, also of Bitbucket, with their CRC-32",
        source: "https://support.atlassian.com/atlassian-account/docs/manage-api-tokens-for-your-atlassian-account/",
        begin: Begin::Anchor { literals: &["ATATT3x", "ATCTT3x"], back: 0 },
        shape: "AT[AC]TT3x[A-Za-z0-9_-]{60,400}=[A-F0-9]{8}",
        check: Some(check::ATLASSIAN),
        positive: &[
            "ATATT3xFfGF0CKNqWcyPDHKYZGBvFO¦BJBelVDbIKAd5sMGM2CHVsyz0yAipeI6SAq2qmXd5NyxYbDUatEXUMyWkG3ZXU04NHfemYeDrayTCPTMprZuL3jU4NuNPPO0wiujK9YtZskWEKu62JPXAFQPmRIGHQBt6qxe20jd7e35z3=8516618E",
        ],
        negative: &[
            "ATATT3xFfGF0DCEIziD17em2Ke0cGbhQUhQLBQrRDsuh0Yc7ZYUPkWM9zcY34Qer0zDkxewdvj3o1H1XzvIxW3uWtBgn¦mN2hn9bM3fxCPkc8iYwoeh01BkQNONbKDmPKYVzITnLVFTfOjTRMQvCiFtivX8E3G75LkltobljS820q=00000000",
        ],
        ..BASE
    },
    Detector {
        name: "bitbucket-app-password",
        doc: "Bitbucket app passwords",
        source: "https://support.atlassian.com/bitbucket-cloud/docs/app-passwords/",
        begin: Begin::Anchor { literals: &["ATBB"], back: 0 },
        shape: "ATBB[A-Za-z0-9]{24}[A-F0-9]{8}",
        positive: &["ATBBke9dK2j4qFjz¦oxIQGv5ExLJBD574¦5EF2"],
        negative: &["ATBBke9dK2j4qFjzoxIQGv5E"],
        ..BASE
    },
    Detector {
        name: "sourcegraph-token",
        doc: "Sourcegraph access tokens",
        source: "https://sourcegraph.com/docs/cli/how-tos/creating_an_access_token",
        begin: Begin::Anchor { literals: &["sgp_"], back: 0 },
        shape: "sgp_(?:(?:[a-f0-9]{16}|local)_)?[a-f0-9]{40}",
        positive: &["sgp_2cc3f59a¦a75a80fa_67fa4fff550e24d805d1¦eca4b3107da31e0301d3"],
        negative: &["sgp_2cc3f59aa75a80fa_67fa4fff550e24d805d"],
        ..BASE
    },
];
