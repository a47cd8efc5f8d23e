// The TypeScript SDK's tool runner through a streaming tool loop.
// Arguments: URL, model, budget in tokens, prompt. The last line of the output is JSON.
import Anthropic from "@anthropic-ai/sdk";
import { betaTool } from "@anthropic-ai/sdk/helpers/beta/json-schema";

const [url, model, budget, prompt] = process.argv.slice(2);
const degrees = { Paris: 21, Oslo: 4, Rome: 25 };

const temperature = betaTool({
  name: "temperature",
  description: "Gives the temperature of a city.",
  inputSchema: {
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
  },
  run: ({ city }) => `${city}: ${degrees[city]} degrees`,
});

const client = new Anthropic({ apiKey: "x", baseURL: url, maxRetries: 0 });
const runner = client.beta.messages.toolRunner({
  model,
  max_tokens: 4000,
  messages: [{ role: "user", content: prompt }],
  tools: [temperature],
  thinking: { type: "adaptive", display: "summarized" },
  output_config: { task_budget: { type: "tokens", total: Number(budget) } },
  betas: ["task-budgets-2026-03-13"],
  stream: true,
  thread: false,
});

let deltas = 0;
let answer = "";
for await (const stream of runner) {
  for await (const event of stream) {
    if (event.type === "content_block_delta") deltas += 1;
  }
  const message = await stream.finalMessage();
  answer = message.content
    .filter((block) => block.type === "text")
    .map((block) => block.text)
    .join("");
}
console.log(JSON.stringify({ answer, deltas }));
