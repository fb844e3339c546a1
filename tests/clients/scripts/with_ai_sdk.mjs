// Vercel's AI SDK over its OpenAI-compatible provider: generateText and streamText.
import assert from 'node:assert/strict'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { generateText, streamText, tool } from 'ai'
import { z } from 'zod'

const documents = [{ id: 'terms', text: 'Refunds take 14 days.' }, { id: 'faq', text: 'Refunds take 30 days.' }]
const letter = [{ id: 'letter', text: 'The firm Iris Energy is based in Gulthorpe.' }]
const made = (more) => createOpenAICompatible({
  name: 'guarded', baseURL: `${process.env.SERVER}/v1`, apiKey: 'sk-test', includeUsage: true,
  transformRequestBody: (body) => ({ ...body, ...more }),
})
const prompt = 'How long does a refund take?'
const asked = 'Where is the seat of Iris Energy?'

const whole = await generateText({ model: made({ documents })('any'), prompt, maxRetries: 0 })
assert.equal(whole.text, '3 notes')
assert.equal(whole.response.headers['x-passageguard-verdict'], 'annotated')
const shown = { passageguard: { include_verdict: true, include_trace: true } }
const streamed = streamText({ model: made({ documents, ...shown })('any'), prompt, onError: ({ error }) => { throw error } })
assert.equal(await streamed.text, '3 notes')
assert.equal((await streamed.response).headers['x-passageguard-verdict'], 'annotated')
const blocked = { documents, passageguard: { on_conflict: 'block' } }
await assert.rejects(
  generateText({ model: made(blocked)('any'), prompt }),
  (error) => error.statusCode === 400 && error.isRetryable === false && error.responseBody.includes('context_conflict'),
)
const search = tool({ description: 'search', inputSchema: z.object({ q: z.string() }), execute: async () => documents[0].text })
const called = await generateText({
  model: made({})('any'), prompt, tools: { search }, stopWhen: ({ steps }) => steps.length === 2,
})
assert.equal(called.text, '0 notes')
assert.equal(called.response.headers['x-passageguard-verdict'], 'clean')

const local = await generateText({ model: made({ documents: letter })('local/small_lm'), prompt: asked })
assert.equal(local.text, 'Gulthorpe')
assert.equal(local.finishReason, 'stop')
assert.ok(local.usage.inputTokens > 20)
const piecewise = streamText({
  model: made({ documents: letter, ...shown })('local/small_lm'), prompt: asked, temperature: 0,
  onError: ({ error }) => { throw error },
})
const parts = []
for await (const part of piecewise.textStream) parts.push(part)
assert.deepEqual(parts, ['Gul', 'thorpe'])
assert.equal((await piecewise.usage).outputTokens, 3)
