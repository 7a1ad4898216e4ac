// An agent in TypeScript's SDK: plain and streamed, and what it gets for a question that nobody recorded.
import { createRequire } from "node:module";

const require = createRequire(`${process.env.NODE_FOLDER}/`);
const Anthropic = require("@anthropic-ai/sdk").default;
const client = new Anthropic({ maxRetries: 1 });
const ask = (text) => ({ model: "claude-test", max_tokens: 64, messages: [{ role: "user", content: text }] });

const plain = await client.messages.create(ask("one"));
const pieces = [];
const stream = client.messages.stream(ask("two")).on("text", (text) => pieces.push(text));
const final = await stream.finalMessage();
const many = await Promise.all(Array.from({ length: 200 }, (_, n) => client.messages.create(ask(`n${n}`))));
let miss;
try {
  await client.messages.create(ask("never"));
} catch (error) {
  miss = [error.status, error.error.error.type, error.message.includes("has no answer to POST /v1/messages")];
}
console.log(
  JSON.stringify({
    plain: plain.content[0].text,
    pieces: pieces.join(""),
    final: final.content[0].text,
    many: many.every((each, n) => each.content[0].text === `a${n}`),
    miss,
  }),
);
