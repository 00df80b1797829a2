// What Node's clients see, with nothing set. Prints {name: what it got, or why it failed}.
const http2 = require("node:http2");
const https = require("node:https");
const { Readable } = require("node:stream");
const { request } = require("undici");
const axios = require("axios");
const WS = require("ws");

const [echo, live, edge] = process.argv.slice(-3);
const BODY = Buffer.alloc(1 << 20);
const results = {};

async function client(name, ask) {
  try {
    results[name] = await ask();
  } catch (error) {
    results[name] = `failed: ${error} ${error.cause ?? ""}`;
  }
}

async function text(stream) {
  let all = "";
  for await (const piece of stream) all += piece;
  return all;
}

const answered = (host, path, options = {}) =>
  new Promise((resolve, reject) => {
    const asked = https.request({ host, path, ...options }, resolve).on("error", reject);
    if (options.then) options.then(asked);
    else asked.end();
  });

async function ofHttp2() {
  const session = http2.connect(`https://${echo}`);
  const stream = session.request({ ":method": "POST", ":path": "/up" });
  stream.end(BODY);
  const status = await new Promise((resolve, reject) => {
    stream.on("response", (headers) => resolve(headers[":status"])).on("error", reject);
  });
  const { bodyBytes } = JSON.parse(await text(stream));
  session.close();
  return [status, bodyBytes];
}

async function events() {
  const answer = await fetch(`https://${live}/events?count=3&pause=0.2`);
  const lines = (await text(answer.body.pipeThrough(new TextDecoderStream()))).split("\n");
  return lines.filter((line) => line.startsWith("data: ")).map((line) => line.slice(6));
}

const ofWs = () =>
  new Promise((resolve, reject) => {
    const socket = new WS(`wss://${live}/ws`);
    const got = [];
    socket.on("error", reject);
    socket.on("open", () => socket.send("text é"));
    socket.on("message", (data, binary) => {
      got.push(binary ? data.length : data.toString());
      if (got.length === 1) socket.send(Buffer.alloc(300_000));
      else socket.close();
    });
    socket.on("close", () => resolve(got));
  });

const ofWebSocket = () =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(`wss://${live}/ws`);
    socket.onerror = (event) => reject(new Error(event.message ?? "error"));
    socket.onopen = () => socket.send("text é");
    socket.onmessage = (event) => {
      socket.close();
      resolve([event.data]);
    };
  });

(async () => {
  const up = `https://${echo}/up`;
  await client("https", async () => {
    const answer = await answered(echo, "/");
    await text(answer);
    return [answer.statusCode, `HTTP/${answer.httpVersion}`];
  });
  await client("http2", ofHttp2);
  await client("fetch", async () => (await (await fetch(up, { method: "POST", body: BODY })).json()).bodyBytes);
  await client("fetch stream", async () => {
    const body = Readable.toWeb(Readable.from([BODY.subarray(0, 1000), BODY.subarray(1000)]));
    return (await (await fetch(up, { method: "POST", body, duplex: "half" })).json()).bodyBytes;
  });
  await client("fetch many", async () => {
    const all = await Promise.all(Array.from({ length: 25 }, (_, number) => fetch(`https://${echo}/${number}`)));
    return all.filter((answer) => answer.ok).length;
  });
  await client("fetch head", async () => {
    return (await fetch(`https://${edge}/length`, { method: "HEAD" })).headers.get("content-length");
  });
  await client("fetch events", events);
  await client("undici", async () => {
    return (await (await request(up, { method: "POST", body: BODY })).body.json()).bodyBytes;
  });
  await client("axios", async () => (await axios.post(up, BODY)).data.bodyBytes);
  await client("axios 404", () => axios.get(`https://${echo}/status/404`).catch((error) => error.response.status));
  await client("ws", ofWs);
  await client("WebSocket", ofWebSocket);
  await client("trailers", async () => {
    const answer = await answered(edge, "/trailers", { headers: { TE: "trailers" } });
    await text(answer);
    return answer.trailers["x-checksum"];
  });
  await client("continue", async () => {
    const then = (asked) => {
      asked.on("continue", () => asked.end(BODY));
      asked.flushHeaders();
    };
    const headers = { Expect: "100-continue", "Content-Length": BODY.length };
    const answer = await answered(edge, "/continue", { method: "POST", headers, then });
    return JSON.parse(await text(answer)).bodyBytes;
  });
  console.log(JSON.stringify(results));
  process.exit(0);
})();
