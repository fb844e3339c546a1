// The openai client for JavaScript: plain, streamed, refused; in front of an upstream and of the local model.
import assert from 'node:assert/strict'
import OpenAI from 'openai'

const client = new OpenAI({ baseURL: `${process.env.SERVER}/v1`, apiKey: 'sk-test', maxRetries: 0 })
const documents = [{ id: 'terms', text: 'Refunds take 14 days.' }, { id: 'faq', text: 'Refunds take 30 days.' }]
const asked = { model: 'any', messages: [{ role: 'user', content: 'How long does a refund take?' }] }
const local = { model: 'local/small_lm', messages: [{ role: 'user', content: 'Where is the seat of Iris Energy?' }] }
const letter = [{ id: 'letter', text: 'The firm Iris Energy is based in Gulthorpe.' }]
const create = (body) => client.chat.completions.create(body)

async function text(stream) {
  let said = ''
  for await (const chunk of stream) said += chunk.choices[0]?.delta?.content ?? ''
  return said
}

const names = []
for await (const model of client.models.list()) names.push(model.id)
assert.deepEqual(names, ['any', 'local/small_lm'])
assert.equal((await client.models.retrieve('local/small_lm')).id, 'local/small_lm')

const { data, response } = await client.chat.completions.create({ ...asked, documents }).withResponse()
assert.equal(response.headers.get('x-passageguard-verdict'), 'annotated')
assert.equal(data.choices[0].message.content, '3 notes')
assert.equal(await text(await create({ ...asked, documents, stream: true })), '3 notes')
const shown = { passageguard: { include_verdict: true } }
const helped = client.chat.completions.stream({ ...asked, documents, ...shown, stream: true })
assert.equal((await helped.finalChatCompletion()).choices[0].message.content, '3 notes')
await assert.rejects(create({ ...asked, documents, passageguard: { on_conflict: 'block' } }), { code: 'context_conflict' })
const embedded = await client.embeddings.create({ model: 'e', input: 'a', encoding_format: 'float' })
assert.deepEqual(embedded.data[0].embedding, [0.5, 0.25])

const answer = await create({ ...local, documents: letter, passageguard: { include_verdict: true, include_trace: true } })
assert.equal(answer.choices[0].message.content, 'Gulthorpe')
assert.equal(answer.passageguard.choices[0].trace.length, answer.usage.completion_tokens)
assert.equal(await text(await create({ ...local, documents: letter, stream: true })), 'Gulthorpe')
const traced = client.chat.completions.stream({
  ...local, documents: letter, stream: true, stream_options: { include_usage: true }, passageguard: { include_trace: true },
})
const final = await traced.finalChatCompletion()
assert.equal(final.choices[0].message.content, 'Gulthorpe')
assert.deepEqual(final.usage, answer.usage)
await assert.rejects(create({ ...local, logprobs: true }), { code: 'unsupported_parameter' })
const left = await create({ ...local, stream: true })
for await (const _ of left) break
