"""Asks with Anthropic's and OpenAI's SDKs. Prints {name: the text, or [text, pieces], or why not}."""
import json
import sys

import anthropic
import openai

host = json.loads(sys.argv[1])
QUESTION = [{"role": "user", "content": "What leaves?"}]
results = {}


def note(name, ask):
    try:
        results[name] = ask()
    except (anthropic.APIStatusError, openai.APIStatusError) as error:
        results[name] = error.status_code
    except Exception as error:
        results[name] = f"failed: {type(error).__name__}: {error} {error.__cause__}"


def claude(key="test-key"):
    return anthropic.Anthropic(api_key=key, base_url=f"https://{host}", max_retries=0)


def gpt(key="test-key"):
    return openai.OpenAI(api_key=key, base_url=f"https://{host}/v1", max_retries=0)


def message(key="test-key"):
    return claude(key).messages.create(model="m", max_tokens=9, messages=QUESTION).content[0].text


def message_stream():
    with claude().messages.stream(model="m", max_tokens=9, messages=QUESTION) as stream:
        pieces = list(stream.text_stream)
    return ["".join(pieces), len(pieces)]


def completion(key="test-key"):
    return gpt(key).chat.completions.create(model="m", messages=QUESTION).choices[0].message.content


def completion_stream():
    stream = gpt().chat.completions.create(model="m", messages=QUESTION, stream=True)
    pieces = [text for part in stream if (text := part.choices[0].delta.content)]
    return ["".join(pieces), len(pieces)]


note("anthropic", message)
note("anthropic stream", message_stream)
note("anthropic wrong key", lambda: message("other"))
note("openai", completion)
note("openai stream", completion_stream)
note("openai wrong key", lambda: completion("other"))
print(json.dumps(results))
