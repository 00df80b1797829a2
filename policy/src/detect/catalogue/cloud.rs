//! Clouds and hosting.

use crate::detect::check;
use crate::detect::detector::{Begin, Detector, Edge, Group};

const BASE: Detector = Detector {
    name: "",
    group: Group::Cloud,
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
        name: "aws-access-key",
        doc: "AWS access key ids, long-term and temporary",
        source: "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html",
        begin: Begin::Anchor { literals: &["AKIA", "ASIA"], back: 0 },
        shape: "A[KS]IA[A-Z2-7]{16}",
        positive: &["AKIA¦IOSFODNN7EXAMPLE", "ASIA4IBODFWL¦TNXUSHC6"],
        negative: &["AKIA_IOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPL0E"],
        ..BASE
    },
    Detector {
        name: "aws-secret-key",
        doc: "AWS secret access keys behind their name",
        source: "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html",
        begin: Begin::Named(&[
            "aws secret access key",
            "secret access key",
            "aws secret key",
            "secret key",
            "secretkey",
        ]),
        shape: "[A-Za-z0-9/+]{40}",
        check: Some(check::MIXED),
        edge: Edge::Base64,
        positive: &[
            "aws_secret_access_key = ⟦wJalrXUtnFEMI/K7MDENG¦/bPxRfiCYEXAMPLEKEY⟧",
            "\"SecretAccessKey\": \"⟦0dSO6d0t8VqQYz1SAZUX¦CYbmGAwppYowf74mGUqg⟧\"",
        ],
        negative: &[
            "\"SecretAccessKey\": \"3jsR3LPXgUT6vKyI3eu¦5QfwJXoLhcSho4B8GJMB\"",
            "\"sha\": \"x5bsdBNqxLvtWjbLQy7A¦awydILrdzQBYn5MUnWnR\"",
        ],
        ..BASE
    },
    Detector {
        name: "aws-session-token",
        doc: "AWS session tokens behind their name",
        source: "https://docs.aws.amazon.com/STS/latest/APIReference/API_Credentials.html",
        begin: Begin::Named(&[
            "aws session token",
            "session token",
            "aws security token",
            "x amz security token",
        ]),
        shape: "[A-Za-z0-9/+]{100,}={0,2}",
        check: Some(check::MIXED),
        edge: Edge::Base64,
        longest: 2048,
        positive: &[
            "AWS_SESSION_TOKEN=⟦IQoJb3JpZ2luOweSGJ7QhO90hZKBACcqtlRkDSMVM8xRVJzdW5ReolxY8Cfi31jytGyXLZFpQIIfPyG64TpsqQL1kqON8Ijxsdm0jV4xhoDTSNql¦4kttZRPzbZOuq9n5uBAlos5oaVp7DXAMZPVlj0zX6MAuHhtZ9sVkrIDqzHuSbzC3qAmHF5B27Ql37T0KQGc3svt3U1MjNKb1zwLm⟧",
        ],
        negative: &["AWS_SESSION_TOKEN=IQoJb3JpZ2lu"],
        ..BASE
    },
    Detector {
        name: "aws-bedrock-key",
        doc: "Amazon Bedrock API keys, long-term and short-term",
        source: "https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys.html",
        begin: Begin::Anchor {
            literals: &["ABSKQmVkcm9ja0FQSUtleS", "bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t"],
            back: 0,
        },
        shape: "(?:ABSKQmVkcm9ja0FQSUtleS[A-Za-z0-9+/]{80,}|bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t[A-Za-z0-9+/]*)={0,2}",
        edge: Edge::Base64,
        longest: 2048,
        positive: &[
            "ABSK¦QmVkcm9ja0FQSUtleSVgimSKfK8DI05iOiBGaeZRM8pQbcb64FOHoTQXbNKV5l2jcnWZdF5OT¦wHwFs27WDENjcaNPi2pe22P8wzR7sE0aLsJ20BiCJ8f6TCGQjMdDkty=",
        ],
        negative: &["ABSKQmVkcm9ja0FQSUtleSVgimSKfK8DI05iOiBGaeZR"],
        ..BASE
    },
    Detector {
        name: "aws-mws-token",
        doc: "Amazon Marketplace Web Service tokens",
        source: "https://developer-docs.amazon.com/sp-api/",
        begin: Begin::Anchor { literals: &["amzn.mws."], back: 0 },
        shape: r"amzn\.mws\.[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}",
        positive: &["amzn.mws.b2e58846-831c-42db¦-a09d-fb27645b7a90"],
        negative: &["amzn.mws.b2e588"],
        ..BASE
    },
    Detector {
        name: "gcp-api-key",
        doc: "Google API keys, also those of Gemini and Firebase",
        source: "https://cloud.google.com/docs/authentication/api-keys",
        begin: Begin::Anchor { literals: &["AIza"], back: 0 },
        shape: "AIza[A-Za-z0-9_-]{35}",
        edge: Edge::Dash,
        positive: &["AIzaLYdpy2itXVKZflIhX¦8yQd0H8ZUdeZvjFXsj"],
        negative: &["AIzaR4iKnPyLmlRycUi4tt¦S48CZjKgQviR9KKTFw"],
        ..BASE
    },
    Detector {
        name: "gcp-oauth-token",
        doc: "Google OAuth access tokens",
        source: "https://developers.google.com/identity/protocols/oauth2",
        begin: Begin::Anchor { literals: &["ya29."], back: 0 },
        shape: r"ya29\.[A-Za-z0-9_.-]{30,}",
        edge: Edge::Dash,
        longest: 2048,
        positive: &["ya29.a0ldXVCNO8hU9LNSKM7wqnJZM7pKYSk5¦Th7AoR2IDtN80QKzC0W7NJN7CHnAac"],
        negative: &["ya29.a0ldXVCNO8hU9LNSK"],
        ..BASE
    },
    Detector {
        name: "gcp-client-secret",
        doc: "Google OAuth client secrets",
        source: "https://developers.google.com/identity/protocols/oauth2",
        begin: Begin::Anchor { literals: &["GOCSPX-"], back: 0 },
        shape: "GOCSPX-[A-Za-z0-9_-]{28}",
        edge: Edge::Dash,
        positive: &["GOCSPX-uahYaYoFDlLKPi¦PvISTZfdvVWJJ2"],
        negative: &["GOCSPX-uahY"],
        ..BASE
    },
    Detector {
        name: "gcp-service-account-key",
        doc: "Ids of private keys of Google service accounts",
        source: "https://cloud.google.com/iam/docs/keys-create-delete",
        begin: Begin::Named(&["private key id"]),
        shape: "[a-f0-9]{40}",
        positive: &["\"private_key_id\": \"⟦ac2c02245d1e6e61b073¦8b62027c10f38dee768d⟧\""],
        negative: &["\"commit_id\": \"98f85b048b05151658ac¦61d2a77ac7baa1db27fc\""],
        ..BASE
    },
    Detector {
        name: "azure-storage-key",
        doc: "Keys of Azure storage, Cosmos DB, Service Bus and others in connection strings",
        source: "https://learn.microsoft.com/azure/storage/common/storage-configure-connection-string",
        begin: Begin::Named(&["accountkey", "sharedaccesskey", "azure storage key", "account key"]),
        shape: "[A-Za-z0-9+/]{43}=|[A-Za-z0-9+/]{86}==",
        check: Some(check::MIXED),
        edge: Edge::Open,
        positive: &[
            "AccountKey=⟦vOsQ9tqoIjztH0caSVvfwErdTytD5cim3r0Stgath7E¦7L9kpQpBzmInQ8a80WMlla8RHZ303F9YL9BhGY0t3W9==⟧;EndpointSuffix=core.windows.net",
        ],
        negative: &["AccountKey=iFR9XEEjT9UvVaH¦xw83ao64YoA53J1;"],
        ..BASE
    },
    Detector {
        name: "azure-client-secret",
        doc: "Secrets of Microsoft Entra applications behind their name",
        source: "https://learn.microsoft.com/entra/identity-platform/howto-create-service-principal-portal",
        begin: Begin::Named(&[
            "client secret",
            "azure client secret",
            "arm client secret",
            "app secret",
            "secret text",
            "secret",
            "password",
        ]),
        shape: "[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}",
        edge: Edge::Dash,
        positive: &["AZURE_CLIENT_SECRET=⟦aB38Q~SkdCY86AR5zmipdql¦bnDhErViH6Mz2Jguw⟧"],
        negative: &["AZURE_CLIENT_SECRET=aB38Q-3wmq1guuepS8Xfvdo¦abIUpOhcajYHFD6yq"],
        ..BASE
    },
    Detector {
        name: "azure-sas",
        doc: "Signatures of Azure shared access",
        source: "https://learn.microsoft.com/rest/api/storageservices/create-service-sas",
        begin: Begin::Anchor { literals: &["sig="], back: 0 },
        shape: "sig=[A-Za-z0-9%+/]{40,60}(?:%3D|=)",
        edge: Edge::Word,
        positive: &["?sv=2022-11-02&⟦sig=anzrYUV9df2yurSyyogcy¦ggGXXMe7zg6gGj5aLh8p8P%3D⟧"],
        negative: &["sig=abc%3D"],
        ..BASE
    },
    Detector {
        name: "azure-devops-pat",
        doc: "Azure DevOps personal access tokens of the format with a signature",
        source: "https://learn.microsoft.com/azure/devops/organizations/accounts/use-personal-access-tokens-to-authenticate",
        begin: Begin::Run,
        shape: "[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}",
        check: Some(check::AZURE_DEVOPS),
        positive: &[
            "k4USCqHRH8C0KMqrXHS6obq6Xu1b4i2OQd8PTr¦26iyzr8BERp1FIfhjnem3O4qwzFrc5il2WZKWTAZDOjNri",
        ],
        negative: &[
            "V9Q6h0wm8WxF7ldldD94kggFvF5hJeyU942yWX¦j3ltSqgSkm2atyvMUK7qcQbJoqxsSaJ2XZxskBAZDXu15Z",
        ],
        ..BASE
    },
    Detector {
        name: "digitalocean-token",
        doc: "DigitalOcean personal, OAuth and refresh tokens",
        source: "https://docs.digitalocean.com/reference/api/create-personal-access-token/",
        begin: Begin::Anchor { literals: &["dop_v1_", "doo_v1_", "dor_v1_"], back: 0 },
        shape: "do[opr]_v1_[a-f0-9]{64}",
        positive: &["dop_v1_156e8bed2a0294d8faf5bb5155cd5d89¦80205bea3ce36a4413ff1365a1667b4e"],
        negative: &["dop_v1_156e8bed2a0294d8"],
        ..BASE
    },
    Detector {
        name: "cloudflare-token",
        doc: "Cloudflare API keys, and user and account tokens",
        source: "https://developers.cloudflare.com/fundamentals/api/get-started/token-formats/",
        begin: Begin::Anchor { literals: &["cfk_", "cfut_", "cfat_"], back: 0 },
        shape: "cf(?:k|ut|at)_[A-Za-z0-9]{40}[a-f0-9]{8}",
        positive: &["cfut_Rh29XixpWyt1M0qlF2yR¦kwUMRFPV0sbzYHLlbwoEee5f¦47e8"],
        negative: &["cfut_Rh29XixpWyt1"],
        ..BASE
    },
    Detector {
        name: "cloudflare-origin-ca-key",
        doc: "Cloudflare Origin CA keys",
        source: "https://developers.cloudflare.com/fundamentals/api/get-started/ca-keys/",
        begin: Begin::Anchor { literals: &["v1.0-"], back: 0 },
        shape: r"v1\.0-[a-f0-9]{24}-[a-f0-9]{146}",
        positive: &[
            "v1.0-13a6d3569ebb¦85df49b48847-75eed1a9ec302011936fed2c9af2964e93e1d386930b6e38a0be18e6321f91ee7e102cff6¦21a857d0cd935ed957b43dbe5d3bbb77bab78233fa7eedabede16d336a1c5f03a7cc3e87d",
        ],
        negative: &["v1.0-13a6d3569ebb85df49b48847-75eed1a9ec302011936fed2c9af2"],
        ..BASE
    },
    Detector {
        name: "alibaba-access-key",
        doc: "Alibaba Cloud access key ids",
        source: "https://www.alibabacloud.com/help/en/ram/user-guide/create-an-accesskey-pair",
        begin: Begin::Anchor { literals: &["LTAI"], back: 0 },
        shape: "LTAI[A-Za-z0-9]{17,21}",
        positive: &["LTAI5tpRvMmFUrj¦KrKvlD2b9"],
        negative: &["LTAI5tpR"],
        ..BASE
    },
    Detector {
        name: "tencent-secret-id",
        doc: "Tencent Cloud secret ids",
        source: "https://www.tencentcloud.com/document/product/598/34228",
        begin: Begin::Anchor { literals: &["AKID"], back: 0 },
        shape: "AKID[A-Za-z0-9]{32}",
        positive: &["AKIDopN1TM54wiky4zrq¦ym6lk5HHpnlXcrq7"],
        negative: &["AKIDopN1TM54"],
        ..BASE
    },
    Detector {
        name: "scaleway-access-key",
        doc: "Scaleway access keys",
        source: "https://www.scaleway.com/en/docs/iam/how-to/create-api-keys/",
        begin: Begin::Anchor { literals: &["SCW"], back: 0 },
        shape: "SCW[A-Z0-9]{17}",
        check: Some(check::MIXED_DIGITS),
        positive: &["SCWNPK4O3J6¦P47EVCCNO"],
        negative: &["SCWNPK"],
        ..BASE
    },
    Detector {
        name: "yandex-api-key",
        doc: "Yandex Cloud API keys and tokens",
        source: "https://yandex.cloud/en/docs/iam/concepts/authorization/api-key",
        begin: Begin::Anchor { literals: &["AQVN"], back: 0 },
        shape: "AQVN[A-Za-z0-9_-]{35,38}",
        edge: Edge::Dash,
        positive: &["AQVNdccZw7cNzVIo2PCwJ5¦vrw8OVZqpYGgCpxBHG"],
        negative: &["AQVNdccZw7cNz"],
        ..BASE
    },
    Detector {
        name: "heroku-api-key",
        doc: "Heroku API keys",
        source: "https://devcenter.heroku.com/articles/platform-api-reference",
        begin: Begin::Anchor { literals: &["HRKU-"], back: 0 },
        shape: "HRKU-[A-Za-z0-9_-]{36,60}",
        edge: Edge::Dash,
        positive: &["HRKU-AAPIb8esjh35ITgpuY1pGdeciVswa0z¦7O0GfrlDlTdxLPkM4n01FhM49X2IT"],
        negative: &["HRKU-AAPIb8esjh35ITgp"],
        ..BASE
    },
    Detector {
        name: "fly-token",
        doc: "Fly.io access tokens",
        source: "https://fly.io/docs/security/tokens/",
        begin: Begin::Anchor { literals: &["FlyV1 fm", "fm1_", "fm2_", "fm1r_", "fm1a_"], back: 0 },
        shape: "(?:FlyV1 )?fm[12][ar]?_[A-Za-z0-9+/_=,-]{100,}",
        edge: Edge::Base64,
        longest: 4096,
        positive: &[
            "fm2_4AKTmLjMbQhdy1hJ9sShLjiapkNberu3fmZ6xBpiazvNFuP5Zb37XPFubjMoVwtXaHg3XXcYi3zVnWx4¦v810vuWUo25hmCYjzSbYyUfji9jYV1R965Uq4U6RrsiinWEu9c0KibccorVShVT55I4YPQPVfdUfFJ3O",
        ],
        negative: &["fm2_4AKTmLjMbQhdy1hJ9sShLjiapkNberu3fmZ6xBpiazvNFuP5Zb"],
        ..BASE
    },
    Detector {
        name: "vercel-token",
        doc: "Vercel access tokens of the format with a prefix",
        source: "https://vercel.com/docs/cli/tokens",
        begin: Begin::Anchor { literals: &["vcp_", "vci_", "vca_", "vcr_", "vck_"], back: 0 },
        shape: "vc[piark]_[A-Za-z0-9]{24,60}",
        check: Some(check::MIXED),
        positive: &["vcp_Rp0YR58DGYZgkzZRzguttbN67S5G¦AJU7ccBheAkHL63mqashOI7OUlTN"],
        negative: &["vcp_Rp0YR58DGYZgkzZR"],
        ..BASE
    },
    Detector {
        name: "netlify-token",
        doc: "Netlify personal access tokens",
        source: "https://docs.netlify.com/api/get-started/",
        begin: Begin::Anchor { literals: &["nfp_", "nfc_", "nfo_", "nfb_"], back: 0 },
        shape: "nf[pcob]_[A-Za-z0-9]{36}",
        positive: &["nfp_GymZkC72nuhcJpKK87¦U3sYSdLTvYLYasAWDM"],
        negative: &["nfp_GymZkC72n"],
        ..BASE
    },
    Detector {
        name: "render-api-key",
        doc: "Render API keys",
        source: "https://render.com/docs/api",
        begin: Begin::Anchor { literals: &["rnd_"], back: 0 },
        shape: "rnd_[A-Za-z0-9]{28,40}",
        check: Some(check::MIXED),
        positive: &["rnd_hTpiUlOxCICTGN¦9ApwoW7HiwCt7C"],
        negative: &["rnd_hTpiUl"],
        ..BASE
    },
    Detector {
        name: "supabase-token",
        doc: "Supabase access tokens and secret keys",
        source: "https://supabase.com/docs/guides/api/api-keys",
        begin: Begin::Anchor { literals: &["sbp_", "sb_secret_"], back: 0 },
        shape: "sbp_(?:v0_)?[a-f0-9]{40}|sb_secret_[A-Za-z0-9_-]{31}",
        edge: Edge::Dash,
        positive: &[
            "sbp_61b6481fe53e11d53bae¦e7fba43366f087674507",
            "sb_secret_vEdgYcweEl28bSB¦VIirCF5oiaa6c6JI",
        ],
        negative: &["sbp_61b6481fe5"],
        ..BASE
    },
    Detector {
        name: "planetscale-token",
        doc: "PlanetScale passwords and tokens",
        source: "https://planetscale.com/docs/api/reference/service-tokens",
        begin: Begin::Anchor { literals: &["pscale_tkn_", "pscale_pw_", "pscale_oauth_"], back: 0 },
        shape: "pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.=-]{32,64}",
        edge: Edge::Dash,
        positive: &["pscale_tkn_GjV2X978ppJEbzR1YjEdg¦3vkjHAlCSWB4b8mu7bTBA8"],
        negative: &["pscale_tkn_GjV2X97"],
        ..BASE
    },
    Detector {
        name: "neon-api-key",
        doc: "Neon API keys",
        source: "https://neon.com/docs/manage/api-keys",
        begin: Begin::Anchor { literals: &["napi_"], back: 0 },
        shape: "napi_[a-z0-9]{64}",
        positive: &["napi_y2l341iya6zjw1jeyewuz7x6v4sr2cxg¦sjkkmgf0yd0q52lqzkxncd80p75ikdbr"],
        negative: &["napi_y2l341iya6zjw1jeye"],
        ..BASE
    },
    Detector {
        name: "mongodb-atlas-secret",
        doc: "MongoDB Atlas secrets of service accounts",
        source: "https://www.mongodb.com/docs/atlas/api/service-accounts-overview/",
        begin: Begin::Anchor { literals: &["mdb_sa_sk_"], back: 0 },
        shape: "mdb_sa_sk_[A-Za-z0-9_-]{40}",
        edge: Edge::Dash,
        positive: &["mdb_sa_sk_v3mlwu5HvcuGCEa1gn6W¦ptP928J52sYeJTQLQXHm"],
        negative: &["mdb_sa_sk_v3mlwu"],
        ..BASE
    },
    Detector {
        name: "databricks-token",
        doc: "Databricks personal access tokens",
        source: "https://docs.databricks.com/aws/en/dev-tools/auth/pat",
        begin: Begin::Anchor { literals: &["dapi", "dose", "dosp"], back: 0 },
        shape: "(?:dapi|dose|dosp)[a-f0-9]{32}(?:-[0-9])?",
        positive: &["dapifec86b8317783c06¦7ff843d68f5d0eb5"],
        negative: &["dapifec86b83"],
        ..BASE
    },
];
