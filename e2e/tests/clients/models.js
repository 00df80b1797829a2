// Asks with Anthropic's and OpenAI's SDKs. Prints {name: the text, or [text, pieces], or why not}.
const Anthropic = require("@anthropic-ai/sdk").default;
const OpenAI = require("openai").default;

const host = process.argv.at(-1);
const QUESTION = [{ role: "user", content: "What leaves?" }];
const results = {};

async function note(name, ask) {
  try {
    results[name] = await ask();
  } catch (error) {
    results[name] = error.status ?? `failed: ${error} ${error.cause ?? ""}`;
  }
}

const claude = (apiKey) => new Anthropic({ apiKey, baseURL: `https://${host}`, maxRetries: 0 });
const gpt = (apiKey) => new OpenAI({ apiKey, baseURL: `https://${host}/v1`, maxRetries: 0 });
const message = { model: "m", max_tokens: 9, messages: QUESTION };
const completion = { model: "m", messages: QUESTION };

(async () => {
  for (const [name, key] of [["anthropic", "test-key"], ["anthropic wrong key", "other"]]) {
    await note(name, async () => (await claude(key).messages.create(message)).content[0].text);
  }
  await note("anthropic stream", async () => {
    const pieces = [];
    for await (const event of claude("test-key").messages.stream(message)) {
      if (event.type === "content_block_delta") pieces.push(event.delta.text);
    }
    return [pieces.join(""), pieces.length];
  });
  for (const [name, key] of [["openai", "test-key"], ["openai wrong key", "other"]]) {
    await note(name, async () => (await gpt(key).chat.completions.create(completion)).choices[0].message.content);
  }
  await note("openai stream", async () => {
    const pieces = [];
    for await (const part of await gpt("test-key").chat.completions.create({ ...completion, stream: true })) {
      if (part.choices[0].delta.content) pieces.push(part.choices[0].delta.content);
    }
    return [pieces.join(""), pieces.length];
  });
  console.log(JSON.stringify(results));
})();
