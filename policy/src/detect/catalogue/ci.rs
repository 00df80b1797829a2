//! Continuous integration, deployment and secret stores.

use crate::detect::check;
use crate::detect::detector::{Begin, Detector, Edge, Group};

const BASE: Detector = Detector {
    name: "",
    group: Group::Ci,
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
        name: "circleci-token",
        doc: "CircleCI personal and project tokens",
        source: "https://circleci.com/docs/managing-api-tokens/",
        begin: Begin::Anchor { literals: &["CCIPAT_", "CCIPRJ_"], back: 0 },
        shape: "CCI(?:PAT|PRJ)_[A-Za-z0-9]{20,24}_[a-f0-9]{40}",
        positive: &["CCIPAT_XkY6p9y6laH¦i02KYGae0Z7_4e90dda104dbfae75dbf¦e7ad270ca053894d7188"],
        negative: &["CCIPAT_XkY6p9y6laHi02KY"],
        ..BASE
    },
    Detector {
        name: "buildkite-token",
        doc: "Buildkite user and agent tokens",
        source: "https://buildkite.com/docs/apis/managing-api-tokens",
        begin: Begin::Anchor { literals: &["bkua_", "bkat_", "bkct_"], back: 0 },
        shape: "bk(?:ua|at|ct)_[A-Za-z0-9]{40,64}",
        positive: &["bkua_pqs52abyv4koxcyxjlpd¦wfc3l1xtz5vw4dswkn6z"],
        negative: &["bkua_pqs52abyv4"],
        ..BASE
    },
    Detector {
        name: "octopus-api-key",
        doc: "Octopus Deploy API keys",
        source: "https://octopus.com/docs/octopus-rest-api/how-to-create-an-api-key",
        begin: Begin::Anchor { literals: &["API-"], back: 0 },
        shape: "API-[A-Z0-9]{25,36}",
        check: Some(check::MIXED_DIGITS),
        positive: &["API-SMQMH7582OE7F¦IV37V8KTIX2HO"],
        negative: &["API-ABCDEFGHIJKLMNOPQRSTUVWXYZ"],
        ..BASE
    },
    Detector {
        name: "harness-token",
        doc: "Harness personal and service account tokens",
        source: "https://developer.harness.io/docs/platform/automation/api/add-and-manage-api-keys/",
        begin: Begin::Anchor { literals: &["pat.", "sat."], back: 0 },
        shape: r"[ps]at\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9]{24}\.[A-Za-z0-9]{20}",
        positive: &["pat.pHo3egNR7AC¦5VkasIPFixH.f2e7163d34de¦cc77e8a87f94.v6VNaBqHy7¦iNEM4DyvQn"],
        negative: &["pat.pHo3egNR7AC5VkasIPFi"],
        ..BASE
    },
    Detector {
        name: "sonarqube-token",
        doc: "SonarQube tokens",
        source: "https://docs.sonarsource.com/sonarqube-server/user-guide/managing-tokens",
        begin: Begin::Anchor { literals: &["squ_", "sqp_", "sqa_"], back: 0 },
        shape: "sq[upa]_[a-f0-9]{40}",
        positive: &["sqp_85d84d15eb87e26e1234¦edcb484f75b2371528c2"],
        negative: &["sqp_85d84d15eb"],
        ..BASE
    },
    Detector {
        name: "terraform-cloud-token",
        doc: "HCP Terraform tokens; what is found begins behind the first part",
        source: "https://developer.hashicorp.com/terraform/cloud-docs/users-teams-organizations/api-tokens",
        begin: Begin::Anchor { literals: &["atlasv1."], back: 0 },
        shape: r"atlasv1\.[A-Za-z0-9_=-]{60,70}",
        edge: Edge::Dash,
        positive: &[
            "JaVaKO8¦B3tDAVg.⟦atlasv1.8JjlbGoaJb3fQmsFS5YHRPaXEaXYsxTaH¦V5oMyUIww01n2EAxvz2bqX7j6vFwAHiF7m⟧",
        ],
        negative: &["atlasv1.short"],
        ..BASE
    },
    Detector {
        name: "vault-token",
        doc: "HashiCorp Vault service, batch and recovery tokens",
        source: "https://developer.hashicorp.com/vault/docs/concepts/tokens",
        begin: Begin::Anchor { literals: &["hvs.", "hvb.", "hvr."], back: 0 },
        shape: r"hv[sbr]\.[A-Za-z0-9_-]{24,300}",
        edge: Edge::Dash,
        positive: &[
            "hvs.CAESVgJZmOYtQzn2zwv8ek3YS7Bfor9AuTWpUaGNNLrgiTNPa¦ICUMQiiak3PDrrA63HJUoyjpNiVRom8opaSC03EwaYl2e",
        ],
        negative: &["hvs.CAESshort"],
        ..BASE
    },
    Detector {
        name: "hcp-client-secret",
        doc: "HashiCorp Cloud Platform client secrets behind their name",
        source: "https://developer.hashicorp.com/hcp/docs/hcp/iam/service-principal",
        begin: Begin::Named(&["hcp client secret"]),
        shape: "[A-Za-z0-9_-]{64}",
        edge: Edge::Dash,
        positive: &[
            "HCP_CLIENT_SECRET=⟦1FcjsKEIhfKtvJDmlylgu7BTRlyXjYtv¦VPslX1I8f3DbrcshcKDjR6eutdA1sJDR⟧",
        ],
        negative: &["HCP_CLIENT_ID=hAfdNQbNaZmZe3MP¦Lk3noTEYArLTVq38"],
        ..BASE
    },
    Detector {
        name: "pulumi-token",
        doc: "Pulumi access tokens",
        source: "https://www.pulumi.com/docs/pulumi-cloud/access-management/access-tokens/",
        begin: Begin::Anchor { literals: &["pul-"], back: 0 },
        shape: "pul-[a-f0-9]{40}",
        positive: &["pul-f105dda55ddcb7ce8edc¦403a979b55f3be466c04"],
        negative: &["pul-f105dda55d"],
        ..BASE
    },
    Detector {
        name: "doppler-token",
        doc: "Doppler tokens of any kind",
        source: "https://docs.doppler.com/docs/service-tokens",
        begin: Begin::Anchor {
            literals: &["dp.pt.", "dp.st.", "dp.ct.", "dp.sa.", "dp.scim.", "dp.audit."],
            back: 0,
        },
        shape: r"dp\.(?:pt|ct|st|sa|scim|audit)\.(?:[a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,44}",
        positive: &["dp.pt.hqNkqyNJ5d94WFvagvXZR¦CrConXAl8l23lk4soN68LD"],
        negative: &["dp.pt.hqNkqyNJ5d"],
        ..BASE
    },
    Detector {
        name: "onepassword-token",
        doc: "1Password tokens of service accounts",
        source: "https://developer.1password.com/docs/service-accounts/",
        begin: Begin::Anchor { literals: &["ops_eyJ"], back: 0 },
        shape: "ops_eyJ[A-Za-z0-9+/_-]{200,}={0,3}",
        edge: Edge::Base64,
        longest: 4096,
        positive: &[
            "ops_eyJQBbLxLGQ3IJMCATUaoMlKaiL25GwAwJW379DbvqcnEOEUE86iXp0bi6RPch6QUtjSuVrDs0gPkyJ4ZkswzZUvRAKdvo6NsO3mG9T85iE6UqJ7bCf4fFLRwGkbN2I3aHxl2¦aQe2I8ygYLGRGGSr1kBZutfdH1l726k0qpx2K3QM4QG1C3v2C3RCmAYhfDIJSBAmOgJSGFUVSqpr6apJZrqXFU4aN1Qla00228rRhOQV8PV3yc8sBd3T78TjVwqK2eBezh",
        ],
        negative: &[
            "ops_eyJQBbLxLGQ3IJMCATUaoMlKaiL25GwAwJW379DbvqcnEOEUE86iXp0bi6RPch6QUtjSuVrDs0gPkyJ4Zkswz",
        ],
        ..BASE
    },
    Detector {
        name: "onepassword-secret-key",
        doc: "1Password secret keys of accounts",
        source: "https://support.1password.com/secret-key-security/",
        begin: Begin::Anchor { literals: &["A3-"], back: 0 },
        shape: "A3-[A-Z0-9]{6}-[A-Z0-9]{6}(?:-[A-Z0-9]{5}){4}",
        positive: &["A3-F9G0KQ-FPCY80-F12KT-9WHIV-1BEFG-3W9Q2"],
        negative: &["A3-F9G0KQ-FPC"],
        ..BASE
    },
    Detector {
        name: "bitwarden-token",
        doc: "Bitwarden Secrets Manager access tokens",
        source: "https://bitwarden.com/help/access-tokens/",
        begin: Begin::Near(&["bitwarden", "bws", "bws access token"]),
        shape: r"0\.[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}\.[A-Za-z0-9]{30}:[A-Za-z0-9+/]{22}==",
        edge: Edge::Open,
        positive: &[
            "BWS_ACCESS_TOKEN=⟦0.542add1e-f4be-440d¦-acd2-512533030008.XF9zCd3D1LGopyh¦r7fjluJrOdhIdIk:bqkfopdr0dh¦Xt8vgEXPf9y==⟧",
        ],
        negative: &["0.0c4b4c6e-d0ec-496b¦-a331-0c3fd3e57e12"],
        ..BASE
    },
    Detector {
        name: "infisical-token",
        doc: "Infisical service tokens",
        source: "https://infisical.com/docs/documentation/platform/token",
        begin: Begin::Anchor { literals: &["st."], back: 0 },
        shape: r"st\.[a-f0-9]{24}\.[a-f0-9]{32}\.[a-f0-9]{32}",
        positive: &[
            "st.c8f2ae23b519¦346704f886cd.b675d5749aa39035¦289e9f7fa5760dbc.66002b29f53d3c20¦d3f8d36be38b2958",
        ],
        negative: &["st.c8f2ae23b519346704f886cd.b67"],
        ..BASE
    },
    Detector {
        name: "dynatrace-token",
        doc: "Dynatrace access tokens",
        source: "https://docs.dynatrace.com/docs/manage/identity-access-management/access-tokens-and-oauth-clients/access-tokens",
        begin: Begin::Anchor { literals: &["dt0c01.", "dt0s01.", "dt0s02.", "dt0s16."], back: 0 },
        shape: r"dt0[cs][0-9]{2}\.[A-Z2-7]{8,24}\.[A-Z2-7]{64}",
        positive: &[
            "dt0c01.3PC2YYRRYYNH¦V6W4BBXRBLO2.II5DLQNLXA3GIQMJ26O4LJK2RIPGF6SG¦DFKRX2KXNW5OX6P2IBF72W524CS7ALVK",
        ],
        negative: &["dt0c01.3PC2YYRRYYNHV6W4BBXRBLO2."],
        ..BASE
    },
    Detector {
        name: "grafana-service-account-token",
        doc: "Grafana tokens of service accounts, with their CRC-32",
        source: "https://grafana.com/docs/grafana/latest/administration/service-accounts/",
        begin: Begin::Anchor { literals: &["glsa_"], back: 0 },
        shape: "glsa_[A-Za-z0-9]{32}_[a-f0-9]{8}",
        check: Some(check::GRAFANA),
        positive: &["glsa_hxwaBybYOv1dzj1¦GIU4f5MgCNQxgVWgV_78ec617e"],
        negative: &["glsa_eSizK7OJjqx3Hxf7¦zCoeThgibOYFCK82_00000000"],
        ..BASE
    },
    Detector {
        name: "grafana-cloud-token",
        doc: "Grafana Cloud access policy tokens",
        source: "https://grafana.com/docs/grafana-cloud/security-and-account-management/authentication-and-permissions/access-policies/",
        begin: Begin::Anchor { literals: &["glc_eyJ"], back: 0 },
        shape: "glc_eyJ[A-Za-z0-9+/_-]{50,400}={0,3}",
        edge: Edge::Base64,
        positive: &[
            "glc_eyJxdMWStubIJFaqu36LrxJhL8voy9GG8AcDGuUkntpSPp4U0FRi6Mu8Y8kWSXd¦iyxJbmgjjFqH3QESUuc0WuidUS2fWMPTHN9dBJCZtjnamAWW24fBFIpvPWIj",
        ],
        negative: &["glc_eyJxdMWStubIJFaqu36LrxJhL8voy9GG8AcDGu"],
        ..BASE
    },
    Detector {
        name: "new-relic-key",
        doc: "New Relic user and ingest keys",
        source: "https://docs.newrelic.com/docs/apis/intro-apis/new-relic-api-keys/",
        begin: Begin::Anchor { literals: &["NRAK-", "NRII-", "NRIQ-", "NRRA-", "NRSP-"], back: 0 },
        shape: "NR(?:AK-[A-Z0-9]{27}|(?:II|IQ)-[A-Za-z0-9_-]{32}|RA-[a-f0-9]{42}|SP-[a-z]{2}[0-9]{2}[a-zA-Z0-9]{24,40})",
        edge: Edge::Dash,
        positive: &["NRAK-504FC3Q47V3DS¦S2PWL6JPYAUFGC"],
        negative: &["NRAK-504FC"],
        ..BASE
    },
    Detector {
        name: "sentry-token",
        doc: "Sentry tokens of organisations and users",
        source: "https://docs.sentry.io/account/auth-tokens/",
        begin: Begin::Anchor { literals: &["sntrys_", "sntryu_"], back: 0 },
        shape: "sntryu_[a-f0-9]{64}|sntrys_eyJ[A-Za-z0-9+/=_-]{80,400}",
        edge: Edge::Base64,
        positive: &["sntryu_1977e38e6c2948d3f196b0370f46df2d¦f203b2a035ad8f29be568ba9290cba1a"],
        negative: &["sntryu_1977e38e6c2948d3"],
        ..BASE
    },
    Detector {
        name: "posthog-key",
        doc: "PostHog personal and feature flag keys",
        source: "https://posthog.com/docs/api",
        begin: Begin::Anchor { literals: &["phx_", "phs_"], back: 0 },
        shape: "ph[xs]_[A-Za-z0-9]{40,60}",
        check: Some(check::MIXED),
        positive: &["phx_vU1Bj2raStNdRUdu1tZky¦M3XFea1925X88gdWSSxiED"],
        negative: &["phx_vU1Bj2raStN"],
        ..BASE
    },
    Detector {
        name: "launchdarkly-key",
        doc: "LaunchDarkly SDK and API keys",
        source: "https://launchdarkly.com/docs/home/account/api",
        begin: Begin::Anchor { literals: &["sdk-", "api-"], back: 0 },
        shape: "(?:sdk|api)-[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}",
        edge: Edge::Dash,
        positive: &["sdk-c50b73c9-b3a0-4d81¦-af3c-6856fe72f87a"],
        negative: &["sdk-3d943527538ac352¦8203bd684f031be0"],
        ..BASE
    },
    Detector {
        name: "honeycomb-key",
        doc: "Honeycomb ingest and management keys",
        source: "https://docs.honeycomb.io/configure/environments/manage-api-keys/",
        begin: Begin::Anchor { literals: &["hcaik_", "hcbik_", "hcamk_"], back: 0 },
        shape: "hc[a-z](?:ik|mk)_[A-Za-z0-9]{32,64}",
        positive: &["hcaik_01aix8iwuhjlxdg2gqlprp7iw2mvvo¦s7up035xbkallnrk0zkadnfr1nw6"],
        negative: &["hcaik_01aix8iwuhjlxdg"],
        ..BASE
    },
    Detector {
        name: "prefect-key",
        doc: "Prefect API keys",
        source: "https://docs.prefect.io/v3/manage/cloud/manage-users/api-keys",
        begin: Begin::Anchor { literals: &["pnu_", "pnb_"], back: 0 },
        shape: "pn[ub]_[A-Za-z0-9]{36}",
        positive: &["pnu_cCiQV2Pr1Weg7LC0Ej¦E3SFu2EQYe48kbylSF"],
        negative: &["pnu_cCiQV2Pr1"],
        ..BASE
    },
    Detector {
        name: "scalingo-token",
        doc: "Scalingo API tokens",
        source: "https://developers.scalingo.com/",
        begin: Begin::Anchor { literals: &["tk-us-"], back: 0 },
        shape: "tk-us-[A-Za-z0-9_-]{48}",
        edge: Edge::Dash,
        positive: &["tk-us-TOiWyaC6WcVbpMFm6fD294iu¦BCrroM9oNNFZ6wSIQJ41Qbec"],
        negative: &["tk-us-TOiWyaC6WcVb"],
        ..BASE
    },
    Detector {
        name: "infracost-key",
        doc: "Infracost API keys",
        source: "https://www.infracost.io/docs/",
        begin: Begin::Anchor { literals: &["ico-"], back: 0 },
        shape: "ico-[A-Za-z0-9]{32}",
        positive: &["ico-tpSXSb3hElUXIhK9¦3c9Sb7Ajai65oLNv"],
        negative: &["ico-tpSXSb3h"],
        ..BASE
    },
];
