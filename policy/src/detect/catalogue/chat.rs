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
        positive: &["xoxb-500330¦998349-343161¦728703-AWbfKxaGf2fK¦ZXVlulML93OX"],
        negative: &["xoxb-500330998349-"],
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
            "xoxp-441902¦102127-469877¦183331-092510¦647733-f76e77359558ef11¦5d35a3aa0089b0dd",
        ],
        negative: &["xoxp-441902102127-4698771"],
        ..BASE
    },
    Detector {
        name: "slack-app-token",
        doc: "Slack app-level tokens",
        source: "https://api.slack.com/authentication/token-types",
        begin: Begin::Anchor { literals: &["xapp-"], back: 0 },
        shape: "xapp-[0-9]-[A-Z0-9]{9,12}-[0-9]{10,13}-[a-f0-9]{64}",
        positive: &[
            "xapp-1-AQKHSI¦X3LJM-689651¦0162853-d70373d6607bb4729605081b16162041¦14c03f60f89e1ad0ef42f907729a6a7d",
        ],
        negative: &["xapp-1-AQKHSIX3LJM-6896510162853"],
        ..BASE
    },
    Detector {
        name: "slack-config-token",
        doc: "Slack configuration access and refresh tokens",
        source: "https://api.slack.com/authentication/rotation",
        begin: Begin::Anchor { literals: &["xoxe.xox", "xoxe-"], back: 0 },
        shape: r"xoxe(?:\.xox[bp])?-[0-9]-[A-Za-z0-9]{140,180}",
        positive: &[
            "xoxe-1-0DI7YCKq294aWQyUprvFYaGxNtxhnFnQkgz1vVgWMYw53h1MeDouCmrPlfED2IezV6IOSipLn¦ljVlVF5ECwitG7rTsVWM9l6M4Q2YZbUqYmNDJJJyKMUWa2D7IKY576IFoo8XTy3pim8mpoPOzz",
        ],
        negative: &["xoxe-1-0DI7YCKq294aWQyUprvFYaGxNtxhnFnQkgz1vVgWMYw5"],
        ..BASE
    },
    Detector {
        name: "slack-webhook",
        doc: "Slack webhooks and workflow triggers",
        source: "https://api.slack.com/messaging/webhooks",
        begin: Begin::Anchor { literals: &["hooks.slack.com/"], back: 0 },
        shape: r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9]{8,12}/[A-Za-z0-9]{8,16}/[A-Za-z0-9]{20,32}(?:/[A-Za-z0-9]{20,32})?",
        positive: &[
            "https://⟦hooks.slack.com¦/services/TMDG43¦LTT5H/BRXISM¦V965E/IG83k20S8DUS¦NgbkBJTbJlUP⟧",
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
        positive: &["MTE5MDQ4NzM2MTI4NTQ0NzY4¦.GpsEug.7oAoaPfsCIQIK4WlNbU¦04xGFMftk3awk3S5FGe"],
        negative: &["MTabcdefghijklmnopqrstuv.GBMHgy.hbQKwqreQ44oxWeLl9R¦Rm0ez3vYeAuhA4JS9KB"],
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
            "https://⟦discord.com¦/api/webhooks/800268800¦091009369/qkMacMzwLPuFIY8lGQTS8tLvp1vAkENNch¦FwYLLeVpMYly082Xw7NWpa6pNFbjJYIw8b⟧",
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
        positive: &["TELEGRAM_BOT_TOKEN=⟦00237¦69514:AAw7zphaprLkNcB3a8¦sj1Z0OoZdyJnRZLn7⟧"],
        negative: &["number 07468¦13427:AA5qhDYT1Rn3rGcyyO¦0OXaztfmg8LxW8Haw"],
        ..BASE
    },
    Detector {
        name: "teams-webhook",
        doc: "Microsoft Teams webhooks",
        source: "https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook",
        begin: Begin::Anchor { literals: &["webhook.office.com/webhookb2/"], back: 0 },
        shape: r"webhook\.office\.com/webhookb2/[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}@[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}/IncomingWebhook/[a-f0-9]{32}/[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}",
        positive: &[
            "https://example.⟦webhook.office.com¦/webhookb2/dcf583f5-afb8-4a05¦-a574-c745edbc34d0@4fc42f3e-d339-41ae¦-ae7a-753c98b95143/IncomingWebhook/8d539cdac576e33d¦9475f0a618c81025/b44a742d-a57f-40d7¦-a1ab-cdf69bfd5c3b⟧",
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
        positive: &["TWILIO_API_KEY=⟦SK395dede46ddfe0c5¦c3735522d0c5335c⟧"],
        negative: &["task: SKa7cbedea85da1fa2¦d999d036e2461531"],
        ..BASE
    },
    Detector {
        name: "twilio-auth-token",
        doc: "Twilio auth tokens behind their name",
        source: "https://www.twilio.com/docs/iam/access-tokens",
        begin: Begin::Named(&["twilio auth token", "twilio token"]),
        shape: "[a-f0-9]{32}",
        positive: &["TWILIO_AUTH_TOKEN=⟦8375ffa7b21afc5b¦c7ac15d1420b7f81⟧"],
        negative: &["ETAG=f5481d641747883d¦3725dcf4b9e0264f"],
        ..BASE
    },
    Detector {
        name: "sendgrid-api-key",
        doc: "SendGrid API keys",
        source: "https://www.twilio.com/docs/sendgrid/ui/account-and-settings/api-keys",
        begin: Begin::Anchor { literals: &["SG."], back: 0 },
        shape: r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}",
        edge: Edge::Dash,
        positive: &["SG.uMcg0EJEM39¦Zwfo9CnB22w.ImeZFKDyzuFUgvFtmA1m8¦6AA040ZOAxdEAQt8sDkmkh"],
        negative: &["SG.uMcg0EJEM39Zwfo9CnB2"],
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
        negative: &["xkeysib-faf341cfc00e0a7730da9"],
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
