// What a program with OpenAI's SDK for JavaScript does. It prints what it saw as JSON.
import OpenAI from "openai";

const client = new OpenAI({ baseURL: `${process.argv[2]}/v1`, apiKey: "any", maxRetries: 0 });
const messages = [{ role: "user", content: "What is quantum computing?" }];
const tools = [{ type: "function", function: { name: "get_weather", parameters: { type: "object" } } }];
const seen = {};

const chat = await client.chat.completions.create({ model: "auto", messages });
seen.chat = chat.choices[0].message.content;

seen.stream = "";
for await (const chunk of await client.chat.completions.create({ model: "ollama", messages, stream: true })) {
  seen.stream += chunk.choices[0].delta.content ?? "";
}

const runner = client.chat.completions.stream({ model: "gemini", messages, tools });
const final = (await runner.finalChatCompletion()).choices[0].message;
seen.final = final.content;
seen.calls = final.tool_calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]);

const { data, response } = await client.chat.completions.create({ model: "anthropic", messages }).withResponse();
seen.service = response.headers.get("x-oxide-service");
seen.requestId = data._request_id === response.headers.get("x-oxide-task-id");

seen.vector = (await client.embeddings.create({ model: "openai/alpha", input: "quantum" })).data[0].embedding;
seen.models = [];
for await (const model of client.models.list()) seen.models.push(model.id);

seen.responses = (await client.responses.create({ model: "ollama", input: "What?" })).output_text;
seen.events = [];
for await (const event of await client.responses.create({ model: "auto", input: "What?", stream: true })) {
  seen.events.push(event.type);
}

try {
  await client.chat.completions.create({ model: "nobody-has-it", messages });
} catch (error) {
  seen.error = [error.constructor.name, error.status, error.code, Boolean(error.requestID)];
}

console.log(JSON.stringify(seen));
