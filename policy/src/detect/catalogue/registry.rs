//! Registries of packages and images.

use crate::detect::check;
use crate::detect::detector::{Begin, Detector, Edge, Group};

const BASE: Detector = Detector {
    name: "",
    group: Group::Registry,
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
        name: "npm-token",
        doc: "npm access tokens, with their CRC-32",
        source: "https://github.blog/changelog/2021-09-23-npm-has-a-new-access-token-format/",
        begin: Begin::Anchor { literals: &["npm_"], back: 0 },
        shape: "npm_[A-Za-z0-9]{36}",
        check: Some(check::GITHUB),
        positive: &["npm_YWpewN11vHJOkA3aJy¦gtpGmcrJTeC80AOn0K"],
        negative: &["npm_JS6BWo8oaw5sV1Mjfv¦gJFk6jpvKPnsSUMRyY"],
        ..BASE
    },
    Detector {
        name: "pypi-token",
        doc: "PyPI and TestPyPI upload tokens",
        source: "https://pypi.org/help/#apitoken",
        begin: Begin::Anchor {
            literals: &["pypi-AgEIcHlwaS5vcmc", "pypi-AgENdGVzdC5weXBpLm9yZw"],
            back: 0,
        },
        shape: "pypi-AgE(?:IcHlwaS5vcmc|NdGVzdC5weXBpLm9yZw)[A-Za-z0-9_-]{50,}",
        edge: Edge::Dash,
        longest: 1024,
        positive: &[
            "pypi-¦AgEIcHlwaS5vcmcJa0bU2cPjDYfIfI7S3KrC9r5OsCbUbldRdNEFy6hd7P35n2u2ETvMrTknXhjNVqo0zxJXCRX2uD¦HTsDlNCqL4kX8Fjt3YHcoggSTYHsNtXiKco98qczl2Gqn3csYirXfWzHJwJlqAaif6K131241yL",
        ],
        negative: &["pypi-AgEIcHlwaS5vcmcJa0bU2cPjDYfIfI7S3KrC9r5OsCbUbldRdNE"],
        ..BASE
    },
    Detector {
        name: "rubygems-key",
        doc: "RubyGems API keys",
        source: "https://guides.rubygems.org/api-key-scopes/",
        begin: Begin::Anchor { literals: &["rubygems_"], back: 0 },
        shape: "rubygems_[a-f0-9]{48}",
        positive: &["rubygems_d7d0c57e5fd52ef4adba63a5¦b82bd3363d9298f9824af0b2"],
        negative: &["rubygems_d7d0c57e5f"],
        ..BASE
    },
    Detector {
        name: "crates-io-token",
        doc: "crates.io tokens",
        source: "https://doc.rust-lang.org/cargo/reference/registries.html",
        begin: Begin::Anchor { literals: &["cio"], back: 0 },
        shape: "cio[A-Za-z0-9]{32}",
        check: Some(check::MIXED),
        positive: &["cioN3qh9zIyDg4tyMLe¦0LUWKx6dIib2PqLY"],
        negative: &["ciourZNPwiRryStSeDJ¦YSzQGLqXOCMPaRdJ"],
        ..BASE
    },
    Detector {
        name: "nuget-key",
        doc: "NuGet API keys",
        source: "https://learn.microsoft.com/nuget/nuget-org/publish-a-package",
        begin: Begin::Anchor { literals: &["oy2"], back: 0 },
        shape: "oy2[a-z0-9]{43}",
        positive: &["oy25jhn38pfgqekm1dvoo9xh¦6qkk5gcnzu5oxf1dlowwd4"],
        negative: &["oy25jhn38pfgqek"],
        ..BASE
    },
    Detector {
        name: "clojars-token",
        doc: "Clojars deploy tokens",
        source: "https://github.com/clojars/clojars-web/wiki/Deploy-Tokens",
        begin: Begin::Anchor { literals: &["CLOJARS_"], back: 0 },
        shape: "CLOJARS_[a-z0-9]{60}",
        positive: &["CLOJARS_wmc0wrh13360q82ye7uhjws33mw4rs¦jjphjmemcndx1wd39flzycjs6fh7zt"],
        negative: &["CLOJARS_wmc0wrh13360q8"],
        ..BASE
    },
    Detector {
        name: "docker-token",
        doc: "Docker Hub personal and organisation tokens",
        source: "https://docs.docker.com/security/access-tokens/",
        begin: Begin::Anchor { literals: &["dckr_pat_", "dckr_oat_"], back: 0 },
        shape: "dckr_[po]at_[A-Za-z0-9_-]{27,40}",
        edge: Edge::Dash,
        positive: &["dckr_pat_EBJvyu5xcMped¦AxFMX5lVXndcLS"],
        negative: &["dckr_pat_EBJ"],
        ..BASE
    },
    Detector {
        name: "artifactory-key",
        doc: "JFrog Artifactory API keys",
        source: "https://jfrog.com/help/r/jfrog-platform-administration-documentation/introduction-to-access-tokens",
        begin: Begin::Anchor { literals: &["AKCp"], back: 0 },
        shape: "AKCp[A-Za-z0-9]{69}",
        positive: &["AKCpKdzIIhcfMAlE8XjrJSSugCIDGHUdkNkT7t¦knKcnUFxECbiJDyxD56t80cywCZKgfIaL2e"],
        negative: &["AKCpKdzIIhcfMAlE8XjrJSSu"],
        ..BASE
    },
    Detector {
        name: "jfrog-reference-token",
        doc: "JFrog reference tokens",
        source: "https://jfrog.com/help/r/jfrog-platform-administration-documentation/introduction-to-access-tokens",
        begin: Begin::Anchor { literals: &["cmVmdGtu"], back: 0 },
        shape: "cmVmdGtu[A-Za-z0-9]{56}",
        positive: &["cmVmdGtus7pQfyYUkHgEBpmdG1zkFhazf7iQ¦XQTJbfRc4cjPT65VU3heO1scjuTX"],
        negative: &["cmVmdGtus7pQfyYUkHgEB"],
        ..BASE
    },
    Detector {
        name: "dockerconfig-auth",
        doc: "Base64 of user and password in Docker configuration",
        source: "https://docs.docker.com/reference/cli/docker/login/",
        begin: Begin::Named(&["auth"]),
        shape: "[A-Za-z0-9+/]{16,400}={0,2}",
        check: Some(check::BASIC),
        edge: Edge::Base64,
        positive: &["\"auth\": \"⟦dXNlcjpodW50ZXIyLWFuZC1tb3Jl⟧\""],
        negative: &["\"auth\": \"AAAAAAAAAAAAAAAAAAAAAAAA\""],
        ..BASE
    },
];
