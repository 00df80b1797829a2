//! Model APIs, and what agents use beside them.

use crate::detect::check;
use crate::detect::detector::{Begin, Detector, Edge, Group};

const BASE: Detector = Detector {
    name: "",
    group: Group::Model,
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
        name: "openai-api-key",
        doc: "OpenAI keys of projects, service accounts, administrators and users",
        source: "https://platform.openai.com/docs/api-reference/authentication",
        begin: Begin::Anchor { literals: &["sk-"], back: 0 },
        shape: "sk-(?:(?:proj|svcacct|admin|None)-)?[A-Za-z0-9_-]{20,90}T3BlbkFJ[A-Za-z0-9_-]{20,90}",
        edge: Edge::Dash,
        positive: &[
            "sk-UoaHs0BTVd¦7WuUhsqVF6T3Blbk¦FJYQUk90Wk1U¦qwJP85B7V9",
            "sk-proj-yMpcDYqlwra4acpuPMIq0ydan4lxk9PvLhIKW¦LOGvvkjel7MVMSSzRQupWJEiFpg8f4czU2lBXT3Blbk¦FJDoEObZjoX3n7Mum9VU83nKE8BdTUNMItHMhhV¦ka6dCop6XhqHZa1zZpDiDqRthBTfrU6fXSKag",
        ],
        negative: &["sk-proj-8oS70x5jSwjdoLCI84X3¦BWk1hAHSC2gElonPQWZ4"],
        ..BASE
    },
    Detector {
        name: "anthropic-api-key",
        doc: "Anthropic API, admin and OAuth keys",
        source: "https://docs.anthropic.com/en/api/overview",
        begin: Begin::Anchor { literals: &["sk-ant-"], back: 0 },
        shape: "sk-ant-(?:api|admin|oat|ort|sid)[0-9]{2}-[A-Za-z0-9_-]{80,120}",
        edge: Edge::Dash,
        positive: &[
            "sk-ant-api03-bjddNpv41WnHj9EtwfKh6WCEWWqTlKnSWwJPkfHmjYpj3g¦wqLNbLtY7efxpKfG6oTbvFZyBNf308u8ZzLmVG9iBegBVa1AA",
        ],
        negative: &["sk-ant-api03-short"],
        ..BASE
    },
    Detector {
        name: "huggingface-token",
        doc: "Hugging Face user and organisation tokens",
        source: "https://huggingface.co/docs/hub/security-tokens",
        begin: Begin::Anchor { literals: &["hf_", "api_org_"], back: 0 },
        shape: "(?:hf_|api_org_)[A-Za-z]{34}",
        positive: &["hf_QSKZVJqjtGuUnqJGb¦LrATcFDyxSOOgpvuR"],
        negative: &["hf_VQSgnziHBTpjwOAZ¦JjgSPwDzpHDPJggVR"],
        ..BASE
    },
    Detector {
        name: "replicate-token",
        doc: "Replicate API tokens",
        source: "https://replicate.com/docs/topics/security/api-tokens",
        begin: Begin::Anchor { literals: &["r8_"], back: 0 },
        shape: "r8_[A-Za-z0-9]{37}",
        positive: &["r8_FsIIV6EMhrb9zfSdMI¦LtTTGP5fQWlg4moTp0L"],
        negative: &["r8_FsIIV6EMhrb9zfSdMILtTTG"],
        ..BASE
    },
    Detector {
        name: "groq-api-key",
        doc: "Groq API keys",
        source: "https://console.groq.com/docs/quickstart",
        begin: Begin::Anchor { literals: &["gsk_"], back: 0 },
        shape: "gsk_[A-Za-z0-9]{52}",
        positive: &["gsk_JZae7hZn0vHjJavui5DgSWuXXb¦HkP5kHF1Et4tIEK0G2M0zS92lJ"],
        negative: &["gsk_JZae7hZn0vHjJavui5DgSWuXXbHkP5kHF"],
        ..BASE
    },
    Detector {
        name: "perplexity-api-key",
        doc: "Perplexity API keys",
        source: "https://docs.perplexity.ai/guides/getting-started",
        begin: Begin::Anchor { literals: &["pplx-"], back: 0 },
        shape: "pplx-[A-Za-z0-9]{48}",
        positive: &["pplx-BzRXIhYc3TjznJIXUjsHmpM4¦TUCUR9nG5IpdiJcanYERkVfa"],
        negative: &["pplx-BzRXIhYc3TjznJIXUjsHmpM4TUCUR9"],
        ..BASE
    },
    Detector {
        name: "xai-api-key",
        doc: "xAI API keys",
        source: "https://docs.x.ai/docs/overview",
        begin: Begin::Anchor { literals: &["xai-"], back: 0 },
        shape: "xai-[A-Za-z0-9]{80}",
        positive: &[
            "xai-FKaLMy07famNmcpFhE8aZZ7cfwIo2iNV1zFUVsHW¦J8yXeuOlBvM4FzCNIv90yDHK2hN2l5M7cfJknGYG",
        ],
        negative: &["xai-FKaLMy07famNmcpFhE8aZZ7cfwIo2iNV1zFUVsHWJ8yXeuOlBvM4"],
        ..BASE
    },
    Detector {
        name: "openrouter-api-key",
        doc: "OpenRouter API keys",
        source: "https://openrouter.ai/docs/api-reference/authentication",
        begin: Begin::Anchor { literals: &["sk-or-"], back: 0 },
        shape: "sk-or-v1-[a-f0-9]{64}",
        positive: &["sk-or-v1-f96f97f8c7b70d3b322f199ecfac7e2e¦0ba544c902d84bbc834da099f8d79865"],
        negative: &["sk-or-v1-f96f97f8c7b70d3b322f199ecfac7e2e0ba544c"],
        ..BASE
    },
    Detector {
        name: "deepseek-api-key",
        doc: "DeepSeek and other keys of `sk-` and 32 hex digits",
        source: "https://api-docs.deepseek.com/",
        begin: Begin::Anchor { literals: &["sk-"], back: 0 },
        shape: "sk-[a-f0-9]{32}",
        positive: &["sk-22444076b54f1d68¦02289844a0c3c557"],
        negative: &["sk-7365ddda8dc55fed¦b5117055faa8e88a6"],
        ..BASE
    },
    Detector {
        name: "together-api-key",
        doc: "Together AI API keys",
        source: "https://docs.together.ai/docs/api-keys-authentication",
        begin: Begin::Anchor { literals: &["tgp_v1_"], back: 0 },
        shape: "tgp_v1_[A-Za-z0-9_-]{43}",
        edge: Edge::Dash,
        positive: &["tgp_v1_dVf4ct8VC4hnhxBgwCpfh¦wj82RUEwEaxQNmnpKwswj9"],
        negative: &["tgp_v1_dVf4ct8VC4hnhxBgwCpfhwj82R"],
        ..BASE
    },
    Detector {
        name: "fireworks-api-key",
        doc: "Fireworks AI API keys",
        source: "https://docs.fireworks.ai/getting-started/quickstart",
        begin: Begin::Anchor { literals: &["fw_"], back: 0 },
        shape: "fw_[A-Za-z0-9]{22,24}",
        check: Some(check::MIXED),
        positive: &["fw_44knczpFbMtO¦BL12BiCXxlX8"],
        negative: &["fw_MdgavdZGIN¦YXnNkMkOND"],
        ..BASE
    },
    Detector {
        name: "nvidia-api-key",
        doc: "NVIDIA NGC and NIM API keys",
        source: "https://docs.nvidia.com/nim/large-language-models/latest/getting-started.html",
        begin: Begin::Anchor { literals: &["nvapi-"], back: 0 },
        shape: "nvapi-[A-Za-z0-9_-]{60,70}",
        edge: Edge::Dash,
        positive: &["nvapi-PUHkKwdtsxVxAyfRoDtCfUXjRg4mOPCF¦iVeO1Gl7KheeI9LC6VpHeQe0dpRemfim"],
        negative: &["nvapi-PUHkKwdtsxVxAyfRoDtCfUXjRg4mOPCFiVeO1Gl7"],
        ..BASE
    },
    Detector {
        name: "cerebras-api-key",
        doc: "Cerebras API keys",
        source: "https://inference-docs.cerebras.ai/quickstart",
        begin: Begin::Anchor { literals: &["csk-"], back: 0 },
        shape: "csk-[a-z0-9]{48}",
        positive: &["csk-33zrxx75usw3gvchcxke7ifo¦cnauu22g57ciat9jgi1ajd8g"],
        negative: &["csk-33zrxx75usw3gvchcxke7ifocnauu2"],
        ..BASE
    },
    Detector {
        name: "langsmith-api-key",
        doc: "LangSmith API keys",
        source: "https://docs.smith.langchain.com/administration/how_to_guides/organization_management/create_account_api_key",
        begin: Begin::Anchor { literals: &["lsv2_"], back: 0 },
        shape: "lsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}",
        positive: &["lsv2_pt_ed8a31dab6bece34¦0dd7b1f76cdd75f6_71c98¦00418"],
        negative: &["lsv2_pt_ed8a31dab6bece340dd7b1f76c"],
        ..BASE
    },
    Detector {
        name: "langfuse-secret-key",
        doc: "Langfuse secret keys",
        source: "https://langfuse.com/docs/api",
        begin: Begin::Anchor { literals: &["sk-lf-"], back: 0 },
        shape: "sk-lf-[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}",
        edge: Edge::Dash,
        positive: &["sk-lf-819ccb5c-7c33-4249¦-a8e9-cd0ff22634d2"],
        negative: &["sk-lf-819ccb5c-7c33-4249-a8e"],
        ..BASE
    },
    Detector {
        name: "pinecone-api-key",
        doc: "Pinecone API keys",
        source: "https://docs.pinecone.io/guides/projects/manage-api-keys",
        begin: Begin::Anchor { literals: &["pcsk_"], back: 0 },
        shape: "pcsk_[A-Za-z0-9]{5,6}_[A-Za-z0-9]{60,70}",
        positive: &["pcsk_zBsq3_vu0Mm4qBoaO8R992AvASyeEWt5pPPe1¦2sAqAM2FvcV0Rj4OPZVOmvIbHpPjNgi1"],
        negative: &["pcsk_zBsq3_vu0Mm4qBoaO8R992AvASyeEWt5pPPe12sAqAM2"],
        ..BASE
    },
    Detector {
        name: "wandb-api-key",
        doc: "Weights & Biases API keys of the format with a prefix",
        source: "https://docs.wandb.ai/support/find_api_key/",
        begin: Begin::Anchor { literals: &["wandb_v1_"], back: 0 },
        shape: "wandb_v1_[A-Za-z0-9_-]{60,90}",
        edge: Edge::Dash,
        positive: &[
            "wandb_v1_Pce0XlhV3o0wQk0t3vwzJo9MTHM4fAqRxJBi53¦mO4joiUq8boaJgjZ0CnbzS2ceO72PgP9FLVOvf",
        ],
        negative: &["wandb_v1_Pce0XlhV3o0wQk0t3vwzJo9MTHM4fAqRxJBi53mO4joiUq8"],
        ..BASE
    },
    Detector {
        name: "voyage-api-key",
        doc: "Voyage AI API keys",
        source: "https://docs.voyageai.com/docs/api-key-and-installation",
        begin: Begin::Anchor { literals: &["pa-"], back: 0 },
        shape: "pa-[A-Za-z0-9_-]{43}",
        check: Some(check::MIXED),
        edge: Edge::Dash,
        positive: &["pa-W65AXSQ19kimBHankBPCC¦XAFko7RWoJAQ50VpAb1hSP"],
        negative: &["pa-W65AXSQ19kimBHankBPCCXAFko7"],
        ..BASE
    },
    Detector {
        name: "jina-api-key",
        doc: "Jina AI API keys",
        source: "https://jina.ai/api-dashboard/",
        begin: Begin::Anchor { literals: &["jina_"], back: 0 },
        shape: "jina_[a-f0-9]{32}[A-Za-z0-9_-]{28}",
        edge: Edge::Dash,
        positive: &["jina_7d3d24119034f4c2¦66089c3457370689wWWDfu0Yf64Ywd¦2OIZndUk0pMNcN"],
        negative: &["jina_7d3d24119034f4c266089c3457370689wWWDfu"],
        ..BASE
    },
    Detector {
        name: "tavily-api-key",
        doc: "Tavily API keys",
        source: "https://docs.tavily.com/documentation/quickstart",
        begin: Begin::Anchor { literals: &["tvly-"], back: 0 },
        shape: "tvly-(?:dev-|prod-)?[A-Za-z0-9]{32}",
        positive: &["tvly-dev-BCpfB3G7uPakSurZ¦mVrOyjVrs4Zxk0Q9"],
        negative: &["tvly-dev-BCpfB3G7uPakSurZmV"],
        ..BASE
    },
    Detector {
        name: "firecrawl-api-key",
        doc: "Firecrawl API keys",
        source: "https://docs.firecrawl.dev/introduction",
        begin: Begin::Anchor { literals: &["fc-"], back: 0 },
        shape: "fc-[a-f0-9]{32}",
        positive: &["fc-cd41191df355f26c¦63cea5b3b1ebd1a1"],
        negative: &["fc-cd41191df355f26c63ce"],
        ..BASE
    },
    Detector {
        name: "elevenlabs-api-key",
        doc: "ElevenLabs API keys",
        source: "https://elevenlabs.io/docs/api-reference/authentication",
        begin: Begin::Anchor { literals: &["sk_"], back: 0 },
        shape: "sk_[a-f0-9]{48}",
        positive: &["sk_c846603d89c9be6da7244e32¦e5a5c6de7af4042e6c7e007b"],
        negative: &["sk_11877fbca80bc4f30645ec4¦36df729b5ef6967c8775eccf"],
        ..BASE
    },
    Detector {
        name: "e2b-api-key",
        doc: "E2B API keys",
        source: "https://e2b.dev/docs/api-key",
        begin: Begin::Anchor { literals: &["e2b_"], back: 0 },
        shape: "e2b_[a-f0-9]{40}",
        positive: &["e2b_c2d08ee68ad73952830a¦5b650180b6bfbf8074c6"],
        negative: &["e2b_c2d08ee68ad73952830a5b650"],
        ..BASE
    },
    Detector {
        name: "anyscale-api-key",
        doc: "Anyscale credentials",
        source: "https://docs.anyscale.com/",
        begin: Begin::Anchor { literals: &["aph0_", "esecret_"], back: 0 },
        shape: "(?:aph0_|esecret_)[A-Za-z0-9_-]{20,120}",
        check: Some(check::MIXED),
        edge: Edge::Dash,
        positive: &["esecret_EfT53dytnrJa¦SyFk6c9ilyT4"],
        negative: &["esecret_EfT53dytnrJaS"],
        ..BASE
    },
    Detector {
        name: "browserbase-api-key",
        doc: "Browserbase API keys",
        source: "https://docs.browserbase.com/introduction/getting-started",
        begin: Begin::Anchor { literals: &["bb_live_"], back: 0 },
        shape: "bb_live_[A-Za-z0-9_-]{20,40}",
        check: Some(check::MIXED),
        edge: Edge::Dash,
        positive: &["bb_live_AhV0FCv8UKQqO¦odPcbKY5h70C59"],
        negative: &["bb_live_AhV0FCv8UKQqOod"],
        ..BASE
    },
    Detector {
        name: "modal-token",
        doc: "Modal token ids and secrets",
        source: "https://modal.com/docs/reference/modal.config",
        begin: Begin::Anchor { literals: &["ak-", "as-"], back: 0 },
        shape: "a[ks]-[A-Za-z0-9]{22}",
        check: Some(check::MIXED),
        positive: &["as-7cTtJgGdZrq¦TU8dNcRUTWU"],
        negative: &["as-enUBDRudaw¦dmSQldOnTd"],
        ..BASE
    },
];
