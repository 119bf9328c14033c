// What a program with Anthropic's SDK for JavaScript does. It prints what it saw as JSON.
import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({ baseURL: process.argv[2], apiKey: "any", maxRetries: 0 });
const messages = [{ role: "user", content: "What is quantum computing?" }];
const asked = { model: "auto", max_tokens: 100, messages };
const seen = {};

seen.message = (await client.messages.create(asked)).content[0].text;

const stream = client.messages.stream({ ...asked, model: "gemini" });
seen.pieces = [];
stream.on("text", (text) => seen.pieces.push(text));
seen.final = (await stream.finalMessage()).content[0].text;

seen.events = [];
for await (const event of await client.messages.create({ ...asked, model: "anthropic", stream: true })) {
  seen.events.push(event.type);
}

seen.tokens = (await client.messages.countTokens({ model: "anthropic", messages })).input_tokens;
seen.models = [];
for await (const model of client.models.list()) seen.models.push(model.id);

try {
  await client.messages.create({ ...asked, model: "nobody-has-it" });
} catch (error) {
  seen.error = [error.constructor.name, error.status, error.error.error.type, Boolean(error.requestID)];
}

console.log(JSON.stringify(seen));
