//! Chat, mail and messages.

use crate::detect::check;
use crate::detect::detector::{Begin, Detector, Edge, Group};

const BASE: Detector = Detector {
    name: "",
    group: Group::Chat,
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
        name: "slack-bot-token",
        doc: "Slack bot tokens",
        source: "https://api.slack.com/authentication/token-types",
        begin: Begin::Anchor { literals: &["xoxb-"], back: 0 },
        shape: "xoxb-[0-9]{10,13}-[0-9]{10,13}-[A-Za-z0-9]{20,34}",
        positive: &["xoxb-966321¦705003-309983¦493431-YHeIic94DPAW¦bfKxaGf2fKZX"],
        negative: &["xoxb-966321705003-309983493431-YHeIi"],
        ..BASE
    },
    Detector {
        name: "slack-user-token",
        doc: "Slack user and session tokens",
        source: "https://api.slack.com/authentication/token-types",
        begin: Begin::Anchor {
            literals: &["xoxp-", "xoxc-", "xoxs-", "xoxa-", "xoxo-", "xoxr-"],
            back: 0,
        },
        shape: "xox[pcsaor]-(?:[0-9]{10,13}-){2,3}[A-Za-z0-9]{20,64}",
        positive: &[
            "xoxp-599323¦544190-210212¦746987-718333¦109251-0d9ef76f76e77359¦558ef115d35a3aa0",
        ],
        negative: &["xoxp-599323544190-210212746987-718333109251-0d9ef7"],
        ..BASE
    },
    Detector {
        name: "slack-app-token",
        doc: "Slack app-level tokens",
        source: "https://api.slack.com/authentication/token-types",
        begin: Begin::Anchor { literals: &["xapp-"], back: 0 },
        shape: "xapp-[0-9]-[A-Z0-9]{9,12}-[0-9]{10,13}-[a-f0-9]{64}",
        positive: &[
            "xapp-1-AART7X¦A01QK-142572¦2368965-212d4a7d70373d6607bb4729605081b1¦616204114c03f60f89e1ad0ef42f9077",
        ],
        negative: &["xapp-1-AART7XA01QK-1425722368965-212d4a7d70373d6607bb4729605081b"],
        ..BASE
    },
    Detector {
        name: "slack-config-token",
        doc: "Slack configuration access and refresh tokens",
        source: "https://api.slack.com/authentication/rotation",
        begin: Begin::Anchor { literals: &["xoxe.xox", "xoxe-"], back: 0 },
        shape: r"xoxe(?:\.xox[bp])?-[0-9]-[A-Za-z0-9]{140,180}",
        positive: &[
            "xoxe-1-3E41SVNqV5kOvoa0DI7YCKq294aWQyUprvFYaGxNtxhnFnQkgz1vVgWMYw53h1MeDouCmrPlf¦ED2IezV6IOSipLnljVlVF5ECwitG7rTsVWM9l6M4Q2YZbUqYmNDJJJyKMUWa2D7IKY576IFoo8",
        ],
        negative: &[
            "xoxe-1-3E41SVNqV5kOvoa0DI7YCKq294aWQyUprvFYaGxNtxhnFnQkgz1vVgWMYw53h1MeDouCmrPlfED2IezV6IOSipLnljVlVF5",
        ],
        ..BASE
    },
    Detector {
        name: "slack-webhook",
        doc: "Slack webhooks and workflow triggers",
        source: "https://api.slack.com/messaging/webhooks",
        begin: Begin::Anchor { literals: &["hooks.slack.com/"], back: 0 },
        shape: r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9]{8,12}/[A-Za-z0-9]{8,16}/[A-Za-z0-9]{20,32}(?:/[A-Za-z0-9]{20,32})?",
        positive: &[
            "https://⟦hooks.slack.com¦/services/TXT8PO¦MDG43/BLTT5H¦RXISM/VjgfEIG83k20¦S8DUSNgbkBJT⟧",
        ],
        negative: &["https://hooks.slack.com/services/"],
        ..BASE
    },
    Detector {
        name: "discord-bot-token",
        doc: "Discord bot tokens, whose first part is the id of the bot",
        source: "https://discord.com/developers/docs/reference",
        begin: Begin::Run,
        shape: r"[MNO][A-Za-z0-9]{23,25}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38}",
        check: Some(check::DISCORD),
        edge: Edge::Dash,
        positive: &["MTE5MDQ4NzM2MTI4NTQ0NzY4¦.GbJlUP.psEug7oAoaPfsCIQIK4¦WlNbU04xGFMftk3awk3"],
        negative: &["MTabcdefghijklmnopqrstuv.GS5FGe.BMHgyhbQKwqreQ44oxW¦eLl9RRm0ez3vYeAuhA4"],
        ..BASE
    },
    Detector {
        name: "discord-webhook",
        doc: "Discord webhooks",
        source: "https://discord.com/developers/docs/resources/webhook",
        begin: Begin::Anchor {
            literals: &["discord.com/api/webhooks/", "discordapp.com/api/webhooks/"],
            back: 0,
        },
        shape: r"discord(?:app)?\.com/api/webhooks/[0-9]{17,20}/[A-Za-z0-9_-]{60,90}",
        edge: Edge::Dash,
        positive: &[
            "https://⟦discord.com¦/api/webhooks/242080026¦880009100/nPwZmqkMacMzwLPuFIY8lGQTS8tLvp1vAk¦ENNchFwYLLeVpMYly082Xw7NWpa6pNFbjJ⟧",
        ],
        negative: &["https://discord.com/api/webhooks/"],
        ..BASE
    },
    Detector {
        name: "telegram-bot-token",
        doc: "Telegram bot tokens near a word that tells so",
        source: "https://core.telegram.org/bots/api#authorizing-your-bot",
        begin: Begin::Near(&["telegram", "bot token", "tg bot", "tg token", "bot"]),
        shape: "[0-9]{8,10}:AA[A-Za-z0-9_-]{33}",
        edge: Edge::Dash,
        positive: &["TELEGRAM_BOT_TOKEN=⟦62600¦23769:AAWHQw7zphaprLkNcB¦3a8sj1Z0OoZdyJnRZ⟧"],
        negative: &["number 29074¦68134:AAJe5qhDYT1Rn3rGcy¦yO0OXaztfmg8LxW8H"],
        ..BASE
    },
    Detector {
        name: "teams-webhook",
        doc: "Microsoft Teams webhooks",
        source: "https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook",
        begin: Begin::Anchor { literals: &["webhook.office.com/webhookb2/"], back: 0 },
        shape: r"webhook\.office\.com/webhookb2/[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}@[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}/IncomingWebhook/[a-f0-9]{32}/[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}",
        positive: &[
            "https://example.⟦webhook.office.com¦/webhookb2/ddcf583f-5afb-42a0¦-a757-4c745edbc34d@04fc42f3-ed33-471a¦-ace7-a753c98b9514/IncomingWebhook/38d539cdac576e33¦d9475f0a618c8102/5b44a742-da57-420d¦-a01a-bcdf69bfd5c3⟧",
        ],
        negative: &["https://example.webhook.office.com/webhookb2/"],
        ..BASE
    },
    Detector {
        name: "twilio-api-key",
        doc: "Twilio API key SIDs near a word that tells so",
        source: "https://www.twilio.com/docs/glossary/what-is-a-sid",
        begin: Begin::Near(&["twilio", "api key sid"]),
        shape: "SK[a-f0-9]{32}",
        positive: &["TWILIO_API_KEY=⟦SKb395dede46ddfe0c¦5c3735522d0c5335⟧"],
        negative: &["task: SKca7cbedea85da1fa¦2d999d036e246153"],
        ..BASE
    },
    Detector {
        name: "twilio-auth-token",
        doc: "Twilio auth tokens behind their name",
        source: "https://www.twilio.com/docs/iam/access-tokens",
        begin: Begin::Named(&["twilio auth token", "twilio token"]),
        shape: "[a-f0-9]{32}",
        positive: &["TWILIO_AUTH_TOKEN=⟦18375ffa7b21afc5¦bc7ac15d1420b7f8⟧"],
        negative: &["ETAG=1f5481d641747883¦d3725dcf4b9e0264"],
        ..BASE
    },
    Detector {
        name: "sendgrid-api-key",
        doc: "SendGrid API keys",
        source: "https://www.twilio.com/docs/sendgrid/ui/account-and-settings/api-keys",
        begin: Begin::Anchor { literals: &["SG."], back: 0 },
        shape: r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}",
        edge: Edge::Dash,
        positive: &["SG.euMcg0EJEM3¦9Zwfo9CnB22.wImeZFKDyzuFUgvFtmA1m¦86AA040ZOAxdEAQt8sDkmk"],
        negative: &["SG.euMcg0EJEM39Zwfo9CnB22.wImeZFKDyzuFUgvFtmA1"],
        ..BASE
    },
    Detector {
        name: "mailgun-api-key",
        doc: "Mailgun API keys",
        source: "https://documentation.mailgun.com/docs/mailgun/api-reference/mg-auth",
        begin: Begin::Anchor { literals: &["key-"], back: 0 },
        shape: "key-[a-f0-9]{32}",
        positive: &["key-45b0eff7e7fdc042¦a2735e698b7370ce"],
        negative: &["key-b7a63876b781d9a¦4e8ad44f7cd4d92c"],
        ..BASE
    },
    Detector {
        name: "mailchimp-api-key",
        doc: "Mailchimp API keys with their data centre",
        source: "https://mailchimp.com/developer/marketing/docs/fundamentals/",
        begin: Begin::Run,
        shape: "[a-f0-9]{32}-us[0-9]{1,2}",
        check: Some(check::MAILCHIMP),
        positive: &["8a49ea171ee47f83¦2b9e24a78982dd1a-us12"],
        negative: &["c3bce2a726f03105¦dd5b9ca759869b7b-eu12"],
        ..BASE
    },
    Detector {
        name: "brevo-api-key",
        doc: "Brevo API and SMTP keys",
        source: "https://developers.brevo.com/docs/getting-started",
        begin: Begin::Anchor { literals: &["xkeysib-", "xsmtpsib-"], back: 0 },
        shape: "x(?:keysib|smtpsib)-[a-f0-9]{64}-[A-Za-z0-9]{16}",
        positive: &[
            "xkeysib-faf341cfc00e0a7730da9421f6442776¦31f730e263f66aac27a65a39059862dd-EVN2ItU9¦UdDp2EiC",
        ],
        negative: &["xkeysib-faf341cfc00e0a7730da9421f644277631f730e263f66aac27a"],
        ..BASE
    },
    Detector {
        name: "resend-api-key",
        doc: "Resend API keys",
        source: "https://resend.com/docs/dashboard/api-keys/introduction",
        begin: Begin::Anchor { literals: &["re_"], back: 0 },
        shape: "re_[A-Za-z0-9]{8}_[A-Za-z0-9]{24}",
        check: Some(check::MIXED),
        positive: &["re_ukYz¦pUuj_0Izdy01kZNrR¦BCfk52PFji1X"],
        negative: &["re_BxlB¦EPFt_xxTeWpuYvFw¦reooHzhMXkHY"],
        ..BASE
    },
    Detector {
        name: "zoom-webhook-token",
        doc: "Zoom secret tokens behind their name",
        source: "https://developers.zoom.us/docs/api/webhooks/",
        begin: Begin::Named(&["zoom secret token", "zoom client secret"]),
        shape: "[A-Za-z0-9_-]{22,32}",
        check: Some(check::MIXED),
        edge: Edge::Dash,
        positive: &["ZOOM_CLIENT_SECRET=⟦v21Snpbxnkdf5vxQ¦16E7IyT4UxhqzxpP⟧"],
        negative: &["ZOOM_CLIENT_ID=nyJuUlK0hw9¦sr0wd73RoVl"],
        ..BASE
    },
];
