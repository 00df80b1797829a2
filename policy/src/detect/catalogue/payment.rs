//! Payments and shops.

use crate::detect::check;
use crate::detect::detector::{Begin, Detector, Edge, Group};

const BASE: Detector = Detector {
    name: "",
    group: Group::Payment,
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
        name: "stripe-secret-key",
        doc: "Stripe secret and restricted keys",
        source: "https://docs.stripe.com/keys",
        begin: Begin::Anchor {
            literals: &["sk_live_", "sk_test_", "rk_live_", "rk_test_", "sk_org_"],
            back: 0,
        },
        shape: "(?:[sr]k_(?:live|test)|sk_org_(?:live|test))_[A-Za-z0-9]{24,247}",
        positive: &[
            "sk_live_BvYaFFGcbXwQ3VFpa3oQvg0P3EbptMpqvoAwbMheQBWOCFVRe¦Fv5J3ST9Lbhefq17bqo0DA2VIbS3d0IPNzAqU8zCM3yBjy3oIu",
            "rk_test_X32vZ5iQJtn9¦TRGdg9vpsMX0",
        ],
        negative: &["pk_live_TqxxywtMyBfa¦ykhfKtBoIk2c"],
        ..BASE
    },
    Detector {
        name: "stripe-webhook-secret",
        doc: "Stripe signing secrets of webhooks",
        source: "https://docs.stripe.com/webhooks",
        begin: Begin::Anchor { literals: &["whsec_"], back: 0 },
        shape: "whsec_[A-Za-z0-9+/]{32,64}={0,2}",
        edge: Edge::Base64,
        positive: &["whsec_lCqy5iOwwF7sXHf9¦1LUDmR7eVHfg6hXd"],
        negative: &["whsec_lCqy5i"],
        ..BASE
    },
    Detector {
        name: "square-token",
        doc: "Square access tokens and OAuth secrets",
        source: "https://developer.squareup.com/docs/build-basics/access-tokens",
        begin: Begin::Anchor { literals: &["EAAA", "sq0atp-", "sq0csp-"], back: 0 },
        shape: "EAAA[A-Za-z0-9_-]{60}|sq0atp-[A-Za-z0-9_-]{22}|sq0csp-[A-Za-z0-9_-]{43}",
        edge: Edge::Dash,
        positive: &[
            "EAAAuwRGggkXwpLB4p3K2b7vdt8WuVGyPz¦G1SRR1ADW2TsKrhUWXI21VD6t30fEl",
            "sq0csp-GUz1pgVVQFTBr4DCaeOcB¦3iXGNcOlUK1iy955PWMxcX",
        ],
        negative: &["EAAAuwRGggkXwpLB4p3K2"],
        ..BASE
    },
    Detector {
        name: "braintree-token",
        doc: "Braintree access tokens",
        source: "https://developer.paypal.com/braintree/docs/",
        begin: Begin::Anchor {
            literals: &["access_token$production$", "access_token$sandbox$"],
            back: 0,
        },
        shape: r"access_token\$(?:production|sandbox)\$[a-z0-9]{16}\$[a-f0-9]{32}",
        positive: &["access_token$production$lnonvs94¦4uuet42q$43cea979bd9ee176¦290501bed58ab393"],
        negative: &["access_token$production$"],
        ..BASE
    },
    Detector {
        name: "adyen-api-key",
        doc: "Adyen API keys",
        source: "https://docs.adyen.com/development-resources/api-credentials/",
        begin: Begin::Anchor { literals: &["AQE"], back: 0 },
        shape: "AQE[a-z][A-Za-z0-9+/]{40,110}={0,2}-[A-Za-z0-9+/]{40,48}={0,2}-[!-~]{8,20}",
        edge: Edge::Open,
        positive: &[
            "AQExMAN0EP5UFs9nrj7Jx22UEq2bVTym6TkSj3ltm6J42KmT¦ruU51hc86CY4RnRJdUnc9gFivbHJL5EHXe3NgyOLXsCA-jCAbVC9WVwUyHIrXzsFgY¦tVHWebLCMHlPFLNe9Xs6Xk=-1dFSwbSN¦60G652wD",
        ],
        negative: &["AQExMAN0EP5UFs9nrj7Jx22UEq2bVTym6TkSj3ltm6J42KmTruU"],
        ..BASE
    },
    Detector {
        name: "razorpay-key",
        doc: "Razorpay key ids",
        source: "https://razorpay.com/docs/payments/dashboard/account-settings/api-keys/",
        begin: Begin::Anchor { literals: &["rzp_live_", "rzp_test_"], back: 0 },
        shape: "rzp_(?:live|test)_[A-Za-z0-9]{14}",
        positive: &["rzp_live_gvbne9K¦LLCzQNs"],
        negative: &["rzp_liv"],
        ..BASE
    },
    Detector {
        name: "mollie-api-key",
        doc: "Mollie API keys",
        source: "https://docs.mollie.com/reference/authentication",
        begin: Begin::Anchor { literals: &["live_", "test_", "access_"], back: 0 },
        shape: "(?:live|test)_[A-Za-z0-9]{30,35}|access_[A-Za-z0-9]{40}",
        check: Some(check::MIXED),
        positive: &["live_zJXtqgqgXQPS2EM¦4ySfESsIDNlbv0P"],
        negative: &["live_VrGIDlqZQHdZMVs¦TexfkXKRCLzNtHE"],
        ..BASE
    },
    Detector {
        name: "gocardless-token",
        doc: "GoCardless access tokens",
        source: "https://developer.gocardless.com/api-reference/",
        begin: Begin::Anchor { literals: &["live_", "sandbox_"], back: 0 },
        shape: "(?:live|sandbox)_[A-Za-z0-9_-]{40}",
        check: Some(check::MIXED),
        edge: Edge::Dash,
        positive: &["live_hmfEIXZNogJYOGsAzbxA¦Ir3Ky2h5uhYf1ysgtit8"],
        negative: &["live_NVeliCXmoVbxgCdPitaO¦qyxBzQlFqTZPtZOsNICS"],
        ..BASE
    },
    Detector {
        name: "flutterwave-key",
        doc: "Flutterwave secret keys",
        source: "https://developer.flutterwave.com/docs/authentication",
        begin: Begin::Anchor { literals: &["FLWSECK"], back: 0 },
        shape: "FLWSECK(?:_TEST)?-[a-zA-Z0-9]{32}-X",
        positive: &["FLWSECK-3c00983775d9027d¦7076cfd6f31f1c45-X"],
        negative: &["FLWSECK-3c0098"],
        ..BASE
    },
    Detector {
        name: "paystack-secret-key",
        doc: "Paystack secret keys",
        source: "https://paystack.com/docs/api/authentication/",
        begin: Begin::Anchor { literals: &["sk_live_", "sk_test_"], back: 0 },
        shape: "sk_(?:live|test)_[a-f0-9]{40}",
        positive: &["sk_test_a757ccd38509845a4bb5¦fe58f86d81b00728eb13"],
        negative: &["sk_test_fea0690a8a¦6daaa4cdaa"],
        ..BASE
    },
    Detector {
        name: "shopify-token",
        doc: "Shopify access tokens and shared secrets",
        source: "https://shopify.dev/docs/apps/build/authentication-authorization",
        begin: Begin::Anchor {
            literals: &["shpat_", "shpca_", "shppa_", "shpss_", "shptka_"],
            back: 0,
        },
        shape: "shp(?:at|ca|pa|ss|tka)_[a-fA-F0-9]{32}",
        positive: &["shpat_d43c2ff4d687cbc7¦c54180d1019c50a7"],
        negative: &["shpat_d43c2f"],
        ..BASE
    },
    Detector {
        name: "plaid-token",
        doc: "Plaid access tokens",
        source: "https://plaid.com/docs/api/",
        begin: Begin::Anchor {
            literals: &["access-sandbox-", "access-production-", "access-development-"],
            back: 0,
        },
        shape: "access-(?:sandbox|production|development)-[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}",
        edge: Edge::Dash,
        positive: &["access-production-615f2f73-2486-4a69¦-a3a2-6669cc2dc1be"],
        negative: &["access-production-"],
        ..BASE
    },
    Detector {
        name: "paddle-api-key",
        doc: "Paddle API keys",
        source: "https://developer.paddle.com/api-reference/about/api-keys",
        begin: Begin::Anchor { literals: &["pdl_live_apikey_", "pdl_sdbx_apikey_"], back: 0 },
        shape: "pdl_(?:live|sdbx)_apikey_[a-z0-9]{26}_[A-Za-z0-9]{22}_[A-Za-z0-9]{3}",
        positive: &["pdl_live_apikey_7gm8ddi7taqlk¦8pz0x540tck5m_wqpI9xb8sco¦0Iz2XvsVlMa_870"],
        negative: &["pdl_live_apikey_7gm8ddi"],
        ..BASE
    },
    Detector {
        name: "checkout-secret-key",
        doc: "Checkout.com secret keys",
        source: "https://www.checkout.com/docs/get-started/authentication",
        begin: Begin::Anchor { literals: &["sk_sbox_"], back: 0 },
        shape: "sk_sbox_[a-z2-7]{26}[a-z2-7*#$=]",
        edge: Edge::Open,
        positive: &["sk_sbox_abcdefgh¦ijklmnopqrstuvwxyz2"],
        negative: &["sk_sbox_abcdefghijklmn"],
        ..BASE
    },
    Detector {
        name: "easypost-key",
        doc: "EasyPost API keys",
        source: "https://docs.easypost.com/docs/authentication",
        begin: Begin::Anchor { literals: &["EZAK", "EZTK"], back: 0 },
        shape: "EZ[AT]K[A-Za-z0-9]{54}",
        positive: &["EZAKh5eFBSN87IVfLRADb4w8iZDyC2a¦c0jkBpIecMCGnqQP620Q3jeO9Wh"],
        negative: &["EZAKh5eFBSN87IVfLRA"],
        ..BASE
    },
    Detector {
        name: "shippo-token",
        doc: "Shippo API tokens",
        source: "https://docs.goshippo.com/docs/guides_general/authentication/",
        begin: Begin::Anchor { literals: &["shippo_live_", "shippo_test_"], back: 0 },
        shape: "shippo_(?:live|test)_[a-f0-9]{40}",
        positive: &["shippo_live_f8430a0fbeab5a4b34fc¦8383959d1da11afc595e"],
        negative: &["shippo_live_f8430"],
        ..BASE
    },
];
