//! Private keys, tokens of any issuer, and URLs with passwords.

use crate::detect::check;
use crate::detect::detector::{Begin, Detector, Edge, Group};

const BASE: Detector = Detector {
    name: "",
    group: Group::Keys,
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
        name: "private-key",
        doc: "Private keys in PEM: PKCS #1 and #8, SEC 1, OpenSSH, PGP; from BEGIN to END or where it is cut off",
        source: "https://www.rfc-editor.org/rfc/rfc7468",
        begin: Begin::Anchor { literals: &["BEGIN "], back: 5 },
        shape: r#"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:[A-Za-z0-9+/=:,.\s"\x27\\]|-[A-Za-z0-9 (),:])*(?:-----END (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----)?"#,
        check: Some(check::PEM),
        edge: Edge::Open,
        longest: 16384,
        positive: &[
            "-----BEGIN RSA ¦PRIVATE KEY-----\n6SdyzFYxi8Q6KEBLHNiNxPySpqqGD+1owuYtc/bBe88RIJJe2fDkMPsX5B/P7cxj\n6SdyzFYxi8Q6KEBLHNiNxPySpqqGD+1owuYtc/bBe88RIJJe2fDkMPsX5B/P7cxj\n-----END RSA ¦PRIVATE KEY-----",
        ],
        negative: &[
            "-----BEGIN PUBLIC KEY-----\n6SdyzFYxi8Q6KEBLHNiNxPySpqqGD+1owuYtc/bBe88RIJJe2fDkMPsX5B/P7cxj\n-----END PUBLIC KEY-----",
            "-----BEGIN PRIVATE KEY-----\n...\n",
        ],
        ..BASE
    },
    Detector {
        name: "private-key-base64",
        doc: "Private keys in PEM, once more in base64, as in kubeconfig files",
        source: "https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/",
        begin: Begin::Anchor { literals: &["LS0tLS1CRUdJTi"], back: 0 },
        shape: "LS0tLS1CRUdJTi[A-Za-z0-9+/]{60,}={0,2}",
        check: Some(check::PEM_BASE64),
        edge: Edge::Base64,
        longest: 16384,
        positive: &[
            "LS0tLS1CRU¦dJTiBSU0EgUFJJVkFURSBLRVktLS0tLQpNSUlFcEFJQkFBS0NBUUVBYmVZSEl4dXREc3p6UXBZN1R0a3A2cnVkbHlsVlFTa1QzU3ZuUmNUblVwYnVrSUJDN3hJSWRWZExSM1FiSVdibnBiYWN6bVpMQTZtS3hQU0FjT2tBZWY3dXYycHVia0ljdUJZbWpDWGR3TzdIUTVPTmgxQVAyaVlMCg==",
        ],
        negative: &["LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t"],
        ..BASE
    },
    Detector {
        name: "putty-private-key",
        doc: "PuTTY private keys, from their first line",
        source: "https://the.earth.li/~sgtatham/putty/0.83/htmldoc/AppendixC.html",
        begin: Begin::Anchor { literals: &["PuTTY-User-Key-File-"], back: 0 },
        shape: r"PuTTY-User-Key-File-[23]: [a-z0-9@.-]{3,40}\r?\n(?:[A-Za-z0-9+/=:,.\s@-]*Private-MAC: [a-f0-9]{40,64})?",
        edge: Edge::Open,
        longest: 16384,
        positive: &[
            "PuTTY-User-¦Key-File-3: ssh-ed25519\nEncryption: none\nComment: test\nPublic-Lines: 1\nAAAA\nPrivate-Lines: 1\nAAAA\nPrivate-MAC: 04b79e139cb438a0bdac51bd7d341fc2¦fae06052ede5b932e268f812fa322bda",
        ],
        negative: &["PuTTY-User-Key-File-1: x"],
        ..BASE
    },
    Detector {
        name: "age-secret-key",
        doc: "age secret keys, with the checksum of Bech32",
        source: "https://age-encryption.org/v1",
        begin: Begin::Anchor { literals: &["AGE-SECRET-KEY-1"], back: 0 },
        shape: "AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}",
        check: Some(check::BECH32),
        positive: &["AGE-SECRET¦-KEY-17FFLND8HY079935CXU50YM2DYP3NVGP6T922K4LJALD4W3VEFR6S9HG0EC"],
        negative: &["AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ"],
        ..BASE
    },
    Detector {
        name: "jwt",
        doc: "JSON web tokens whose header is JSON with an algorithm",
        source: "https://www.rfc-editor.org/rfc/rfc7519",
        begin: Begin::Anchor { literals: &["eyJ", "ewog"], back: 0 },
        shape: r"e(?:yJ|wog)[A-Za-z0-9_-]{14,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*",
        check: Some(check::JWT),
        edge: Edge::Dash,
        longest: 8192,
        positive: &[
            "eyJhbGciOi¦JIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkphbmUgRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.DG9vM3KpprsXED4k8ldvTfq2LAksYiWTOA4hHEOMED7",
        ],
        negative: &["eyJhbGci.eyJzdWIi.x"],
        ..BASE
    },
    Detector {
        name: "wireguard-private-key",
        doc: "WireGuard private and preshared keys behind their name",
        source: "https://www.wireguard.com/quickstart/",
        begin: Begin::Named(&["privatekey", "presharedkey"]),
        shape: "[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=",
        check: Some(check::MIXED),
        edge: Edge::Open,
        positive: &["PrivateKey = ⟦BH9zXsYxZ4b0fY4qDO7eE¦O1LD4chBRueW3hEoHc6gNA=⟧"],
        negative: &["PublicKey = BiKURNGCMxuKIJhRMeNsy¦iM423wHeHVaw6tB3zlDE1A="],
        ..BASE
    },
    Detector {
        name: "bearer-token",
        doc: "Bearer tokens of an Authorization header",
        source: "https://www.rfc-editor.org/rfc/rfc6750",
        begin: Begin::Anchor { literals: &["Bearer ", "bearer "], back: 0 },
        shape: "[Bb]earer [A-Za-z0-9._~+/-]{20,}=*",
        check: Some(check::BEARER),
        edge: Edge::Open,
        longest: 4096,
        positive: &["Authorization: ⟦Bearer WngjBkk478bI23IGh420¦o5wlFSdBU8Rl0Ja7RwFn⟧"],
        negative: &["Bearer authentication is used"],
        ..BASE
    },
    Detector {
        name: "basic-auth",
        doc: "User and password of an Authorization header",
        source: "https://www.rfc-editor.org/rfc/rfc7617",
        begin: Begin::Anchor { literals: &["Basic ", "basic "], back: 0 },
        shape: "[Bb]asic [A-Za-z0-9+/]{8,400}={0,2}",
        check: Some(check::BASIC_HEADER),
        edge: Edge::Base64,
        positive: &["Authorization: ⟦Basic dXNlcjpodW50ZXIyLWFuZC1tb3Jl⟧"],
        negative: &["Basic information about things"],
        ..BASE
    },
    Detector {
        name: "database-url",
        doc: "URLs of databases and brokers with a password",
        source: "https://www.rfc-editor.org/rfc/rfc3986",
        begin: Begin::Anchor {
            literals: &[
                "postgres://",
                "postgresql://",
                "mysql://",
                "mariadb://",
                "mongodb://",
                "mongodb+srv://",
                "redis://",
                "rediss://",
                "amqp://",
                "amqps://",
                "mssql://",
                "sqlserver://",
                "clickhouse://",
                "cockroachdb://",
                "nats://",
                "kafka://",
                "oracle://",
                "postgresql+psycopg",
                "postgresql+asyncpg",
                "mysql+pymysql",
            ],
            back: 0,
        },
        shape: r#"[a-z0-9+]{4,24}://[^\s:/@"\x27<>\\]{0,64}:[^\s@/"\x27<>\\]{3,128}@[A-Za-z0-9_.\[\]:-]{1,255}"#,
        check: Some(check::PASSWORD_URL),
        edge: Edge::Open,
        positive: &["postgres://app:¦qRlIv1xL¦7CZPyX7z@db.prod:5432"],
        negative: &["postgres://app@db.prod:5432/orders"],
        ..BASE
    },
    Detector {
        name: "url-credentials",
        doc: "Other URLs with a password",
        source: "https://www.rfc-editor.org/rfc/rfc3986",
        begin: Begin::Anchor {
            literals: &[
                "http://", "https://", "ftp://", "ftps://", "sftp://", "smtp://", "smtps://",
                "ldap://", "ldaps://", "ssh://", "git://", "imap://", "imaps://",
            ],
            back: 0,
        },
        shape: r#"[a-z]{3,5}://[^\s:/@"\x27<>\\?#]{0,64}:[^\s@/"\x27<>\\?#]{3,128}@[A-Za-z0-9_.\[\]-]{1,255}"#,
        check: Some(check::PASSWORD_URL),
        edge: Edge::Open,
        positive: &["https://deploy:¦XUBwZID7¦O9Mmt9i5@git.example.com"],
        negative: &["https://example.com:8080/a@b"],
        ..BASE
    },
    Detector {
        name: "password-hash",
        doc: "Hashes of passwords: bcrypt, Argon2, scrypt, SHA-crypt",
        source: "https://manpages.debian.org/bookworm/libcrypt-dev/crypt.5.en.html",
        begin: Begin::Anchor { literals: &["2a$", "2b$", "2y$", "argon2"], back: 1 },
        shape: r"\$(?:2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}|argon2(?:id|i|d)\$v=[0-9]+\$[a-z0-9=,]{8,40}\$[A-Za-z0-9+/]{11,64}\$[A-Za-z0-9+/]{16,128})",
        edge: Edge::Open,
        positive: &["$2b$12$¦4tmLYyJRI51TxM0JQ4IJGlMXjL¦A10FRm26dD12x48Txd8yP14Ifer"],
        negative: &["$2b$12$short"],
        ..BASE
    },
    Detector {
        name: "generic-secret",
        doc: "Values that look random behind a name that tells of a secret",
        source: "https://cheatsheetseries.owasp.org/cheatsheets/Secrets_Management_Cheat_Sheet.html",
        begin: Begin::Assigned,
        shape: "[A-Za-z0-9+/_.~!@#$%^*-]{16,256}={0,2}",
        check: Some(check::RANDOM),
        edge: Edge::Value,
        positive: &[
            "DB_PASSWORD=⟦5cbhrddE9FRG¦hnbgNWJkG2dy⟧",
            "\"clientSecret\": \"⟦YcyNX1HDEMe5EBHQ¦r51o6KXjsVXW7REF⟧\"",
        ],
        negative: &[
            "password_hint=ask-your-administrator1",
            "\"token_count\": \"HNfZshKRnked¦azNxhahAvyDa\"",
        ],
        ..BASE
    },
];
