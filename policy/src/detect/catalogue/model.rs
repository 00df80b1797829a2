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
        shape: "sk-[A-Za-z0-9_-]{48,}",
        check: Some(check::OPENAI),
        edge: Edge::Dash,
        longest: 256,
        positive: &[
            "sk-UoaHs0BTVd¦7WuUhsqVF6T3Blbk¦FJYQUk90Wk1U¦qwJP85B7V9",
            "sk-proj-yMpcDYqlwra4acpuPMIq0ydan4lxk9PvLhIKW¦LOGvvkjel7MVMSSzRQupWJEiFpg8f4czU2lBXT3Blbk¦FJDoEObZjoX3n7Mum9VU83nKE8BdTUNMItHMhhV¦ka6dCop6XhqHZa1zZpDiDqRthBTfrU6fXSKag",
        ],
        negative: &["sk-proj-8oS70x5jSwjdoLCI84X3BWk1hAHSC2¦gElonPQWZ4bjddNpv41WnHj9EtwfKh"],
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
            "sk-ant-api03-6WCEWWqTlKnSWwJPkfHmjYpj3gwqLNbLtY7efxpKfG6oTb¦vFZyBNf308u8ZzLmVG9iBegBVa1Q4SKZVJq93jtGuUn4qJ6AA",
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
        positive: &["hf_GbLrATcFDyxSOOgpv¦uRVQSgnziHBTpjwOA"],
        negative: &["hf_ZJjgSPwDzpHDPJgg¦VRFsIIVEMhrbzfSdM"],
        ..BASE
    },
    Detector {
        name: "replicate-token",
        doc: "Replicate API tokens",
        source: "https://replicate.com/docs/topics/security/api-tokens",
        begin: Begin::Anchor { literals: &["r8_"], back: 0 },
        shape: "r8_[A-Za-z0-9]{37}",
        positive: &["r8_ILtTTGP5fQWlg4moTp¦0LJZae7hZn0vHjJavui"],
        negative: &["r8_ILtTTGP5fQ"],
        ..BASE
    },
    Detector {
        name: "groq-api-key",
        doc: "Groq API keys",
        source: "https://console.groq.com/docs/quickstart",
        begin: Begin::Anchor { literals: &["gsk_"], back: 0 },
        shape: "gsk_[A-Za-z0-9]{52}",
        positive: &["gsk_5DgSWuXXbHkP5kHF1Et4tIEK0G¦2M0zS92lJBzRXIhYc3TjznJIXU"],
        negative: &["gsk_5DgSWuXXbHkP5k"],
        ..BASE
    },
    Detector {
        name: "perplexity-api-key",
        doc: "Perplexity API keys",
        source: "https://docs.perplexity.ai/guides/getting-started",
        begin: Begin::Anchor { literals: &["pplx-"], back: 0 },
        shape: "pplx-[A-Za-z0-9]{48}",
        positive: &["pplx-jsHmpM4TUCUR9nG5IpdiJcan¦YERkVfaFKaLMy07famNmcpFh"],
        negative: &["pplx-jsHmpM4TUCUR"],
        ..BASE
    },
    Detector {
        name: "xai-api-key",
        doc: "xAI API keys",
        source: "https://docs.x.ai/docs/overview",
        begin: Begin::Anchor { literals: &["xai-"], back: 0 },
        shape: "xai-[A-Za-z0-9]{80}",
        positive: &[
            "xai-E8aZZ7cfwIo2iNV1zFUVsHWJ8yXeuOlBvM4FzCNI¦v90yDHK2hN2l5M7cfJknGYG7t2fSMeSoO1ekQZ08",
        ],
        negative: &["xai-E8aZZ7cfwIo2iNV1zFUVsHWJ"],
        ..BASE
    },
    Detector {
        name: "openrouter-api-key",
        doc: "OpenRouter API keys",
        source: "https://openrouter.ai/docs/api-reference/authentication",
        begin: Begin::Anchor { literals: &["sk-or-"], back: 0 },
        shape: "sk-or-v1-[a-f0-9]{64}",
        positive: &["sk-or-v1-7b70d3b322f199ecfac7e2e0ba544c90¦2d84bbc834da099f8d7986522444076b"],
        negative: &["sk-or-v1-7b70d3b322f199e"],
        ..BASE
    },
    Detector {
        name: "deepseek-api-key",
        doc: "DeepSeek and other keys of `sk-` and 32 hex digits",
        source: "https://api-docs.deepseek.com/",
        begin: Begin::Anchor { literals: &["sk-"], back: 0 },
        shape: "sk-[a-f0-9]{32}",
        positive: &["sk-54f1d6802289844a¦0c3c5577365ddda8"],
        negative: &["sk-dc55fedb5117055f¦aa8e88a6eafea101f"],
        ..BASE
    },
    Detector {
        name: "together-api-key",
        doc: "Together AI API keys",
        source: "https://docs.together.ai/docs/api-keys-authentication",
        begin: Begin::Anchor { literals: &["tgp_v1_"], back: 0 },
        shape: "tgp_v1_[A-Za-z0-9_-]{43}",
        edge: Edge::Dash,
        positive: &["tgp_v1_hwj82RUEwEaxQNmnpKwsw¦j944knczpFbMtOBL12BiCX"],
        negative: &["tgp_v1_hwj82RUEw"],
        ..BASE
    },
    Detector {
        name: "fireworks-api-key",
        doc: "Fireworks AI API keys",
        source: "https://docs.fireworks.ai/getting-started/quickstart",
        begin: Begin::Anchor { literals: &["fw_"], back: 0 },
        shape: "fw_[A-Za-z0-9]{22,24}",
        check: Some(check::MIXED),
        positive: &["fw_xlX8M5d0gavd¦ZGINYXn3Nk29"],
        negative: &["fw_MkONDPUHkK¦wdtsxVxAyf"],
        ..BASE
    },
    Detector {
        name: "nvidia-api-key",
        doc: "NVIDIA NGC and NIM API keys",
        source: "https://docs.nvidia.com/nim/large-language-models/latest/getting-started.html",
        begin: Begin::Anchor { literals: &["nvapi-"], back: 0 },
        shape: "nvapi-[A-Za-z0-9_-]{60,70}",
        edge: Edge::Dash,
        positive: &["nvapi-RoDtCfUXjRg4mOPCFiVeO1Gl7KheeI9L¦C6VpHeQe0dpRemfim01ddn5ZRXXohfU1"],
        negative: &["nvapi-RoDtCfUXjRg4mOPCF"],
        ..BASE
    },
    Detector {
        name: "cerebras-api-key",
        doc: "Cerebras API keys",
        source: "https://inference-docs.cerebras.ai/quickstart",
        begin: Begin::Anchor { literals: &["csk-"], back: 0 },
        shape: "csk-[a-z0-9]{48}",
        positive: &["csk-sw3gvchcxke7ifocnauu22g5¦7ciat9jgi1ajd8g92816quhc"],
        negative: &["csk-sw3gvchcxke7i"],
        ..BASE
    },
    Detector {
        name: "langsmith-api-key",
        doc: "LangSmith API keys",
        source: "https://docs.smith.langchain.com/administration/how_to_guides/organization_management/create_account_api_key",
        begin: Begin::Anchor { literals: &["lsv2_"], back: 0 },
        shape: "lsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}",
        positive: &["lsv2_pt_dab6bece340dd7b1¦f76cdd75f671c980_04188¦19ccb"],
        negative: &["lsv2_pt_dab6bece3"],
        ..BASE
    },
    Detector {
        name: "langfuse-secret-key",
        doc: "Langfuse secret keys",
        source: "https://langfuse.com/docs/api",
        begin: Begin::Anchor { literals: &["sk-lf-"], back: 0 },
        shape: "sk-lf-[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}",
        edge: Edge::Dash,
        positive: &["sk-lf-5c7c33f2-4968-49cd¦-aff2-2634d2060d78"],
        negative: &["sk-lf-5c7c33f2"],
        ..BASE
    },
    Detector {
        name: "pinecone-api-key",
        doc: "Pinecone API keys",
        source: "https://docs.pinecone.io/guides/projects/manage-api-keys",
        begin: Begin::Anchor { literals: &["pcsk_"], back: 0 },
        shape: "pcsk_[A-Za-z0-9]{5,6}_[A-Za-z0-9]{60,70}",
        positive: &["pcsk_992Av_ASyeEWt5pPPe12sAqAM2FvcV0Rj4OPZ¦VOmvIbHpPjNgi1Pce0XlhV3o0wQk0t3v"],
        negative: &["pcsk_992Av_ASyeEWt5pPPe1"],
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
            "wandb_v1_wzJo9MTHM4fAqRxJBi53mO4joiUq8boaJgjZ0C¦nbzS2ceO72PgP9FLVOvfW65AXSQ19kimBHankB",
        ],
        negative: &["wandb_v1_wzJo9MTHM4fAqRxJBi5"],
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
        positive: &["pa-PCCXAFko7RWoJAQ50VpAb¦1hSPPaH0aEIkD3gCu1SBGI"],
        negative: &["pa-PCCXAFko7RWo"],
        ..BASE
    },
    Detector {
        name: "jina-api-key",
        doc: "Jina AI API keys",
        source: "https://jina.ai/api-dashboard/",
        begin: Begin::Anchor { literals: &["jina_"], back: 0 },
        shape: "jina_[a-f0-9]{32}[A-Za-z0-9_-]{28}",
        edge: Edge::Dash,
        positive: &["jina_f4c266089c345737¦0689bb1fcfce74ceUk0pMNcNBCpfB3¦G7uPakSurZmVrO"],
        negative: &["jina_f4c266089c345737"],
        ..BASE
    },
    Detector {
        name: "tavily-api-key",
        doc: "Tavily API keys",
        source: "https://docs.tavily.com/documentation/quickstart",
        begin: Begin::Anchor { literals: &["tvly-"], back: 0 },
        shape: "tvly-(?:dev-|prod-)?[A-Za-z0-9]{32}",
        positive: &["tvly-dev-yjVrs4Zxk0Q9vY4b¦4jIwppDr8yCS51xD"],
        negative: &["tvly-dev-yjVr"],
        ..BASE
    },
    Detector {
        name: "firecrawl-api-key",
        doc: "Firecrawl API keys",
        source: "https://docs.firecrawl.dev/introduction",
        begin: Begin::Anchor { literals: &["fc-"], back: 0 },
        shape: "fc-[a-f0-9]{32}",
        positive: &["fc-df355f26c63cea5b¦3b1ebd1a1c846603"],
        negative: &["fc-df355f26"],
        ..BASE
    },
    Detector {
        name: "elevenlabs-api-key",
        doc: "ElevenLabs API keys",
        source: "https://elevenlabs.io/docs/api-reference/authentication",
        begin: Begin::Anchor { literals: &["sk_"], back: 0 },
        shape: "sk_[a-f0-9]{48}",
        positive: &["sk_d89c9be6da7244e32e5a5c6d¦e7af4042e6c7e007b11877fb"],
        negative: &["sk_ca80bc4f30645ec436df729¦b5ef6967c8775eccfc2d08ee"],
        ..BASE
    },
    Detector {
        name: "e2b-api-key",
        doc: "E2B API keys",
        source: "https://e2b.dev/docs/api-key",
        begin: Begin::Anchor { literals: &["e2b_"], back: 0 },
        shape: "e2b_[a-f0-9]{40}",
        positive: &["e2b_68ad73952830a5b65018¦0b6bfbf8074c62f9e4d9"],
        negative: &["e2b_68ad739528"],
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
        positive: &["esecret_yFk6c9ilyT4A¦hV0FCv8UKQqO"],
        negative: &["esecret_yF"],
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
        positive: &["bb_live_odPcbKY5h70C5¦97cTtJgGdZrqTU"],
        negative: &["bb_live_odP"],
        ..BASE
    },
    Detector {
        name: "modal-token",
        doc: "Modal token ids and secrets",
        source: "https://modal.com/docs/reference/modal.config",
        begin: Begin::Anchor { literals: &["ak-", "as-"], back: 0 },
        shape: "a[ks]-[A-Za-z0-9]{22}",
        check: Some(check::MIXED),
        positive: &["as-8dNcRUTWUen¦8UB4DRudawd"],
        negative: &["as-mSQldOnTdC¦KNqWcyPDHK"],
        ..BASE
    },
];
