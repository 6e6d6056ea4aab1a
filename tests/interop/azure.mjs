// An upstream in the manner of Azure OpenAI: answers from the hand-written fixtures, the model's name says which. With an issuer it takes
// only tokens that verify against the issuer's published keys, by a library that nobody here wrote.
//
//   node azure.mjs PORT FIXTURES RECORD [ISSUER AUDIENCE]
//
// RECORD gets a line for each request, without the values of its headers but one: whether its credential was right.
import { appendFileSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

const [port, fixtures, record, issuer, audience] = process.argv.slice(2);
const key = process.env.UPSTREAM_KEY;

const whole = (name) => ({ type: 'application/json', body: readFileSync(join(fixtures, name)) });
const stream = (name) => ({ type: 'text/event-stream; charset=utf-8', body: readFileSync(join(fixtures, name)) });
const answers = {
  chat: { chat: whole('chat_ok.json'), 'gpt-4o': stream('stream_ok.sse'), thinker: whole('chat_ok_reasoning.json') },
  responses: { chat: whole('responses_ok.json'), 'gpt-4o': stream('responses_stream.sse') },
};

let verify = null;
if (issuer) {
  const { createRemoteJWKSet, jwtVerify } = await import('jose');
  const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`));
  verify = (token) => jwtVerify(token, keys, { issuer, audience, algorithms: ['RS256'], requiredClaims: ['exp', 'appid'] });
}

// What is wrong with a request's credential; nothing, if it is right.
async function wrong(headers) {
  if (!verify) return headers['api-key'] === key && !headers.authorization ? '' : 'not the key';
  if ('api-key' in headers) return 'a key beside the token';
  const [scheme, token] = (headers.authorization ?? '').split(' ');
  if (scheme !== 'Bearer' || !token) return 'no bearer token';
  return verify(token).then(() => '', (e) => `${e.code}: ${e.message}`);
}

const server = createServer(async (request, reply) => {
  let text = '';
  for await (const piece of request) text += piece;
  const url = new URL(request.url, 'http://upstream');
  const body = text ? JSON.parse(text) : null;
  const trouble = await wrong(request.headers);
  const asked = { path: url.pathname, query: url.search, headers: Object.keys(request.headers).sort(), body, trouble };
  appendFileSync(record, JSON.stringify(asked) + '\n');
  const send = (status, type, content) => reply.writeHead(status, { 'content-type': type, 'x-ms-region': 'Sweden Central' }).end(content);
  if (trouble) {
    return send(401, 'application/json', JSON.stringify({ error: { code: '401', message: `Access denied: ${trouble}` } }));
  }
  const named = url.pathname.match(/\/deployments\/([^/]+)\//)?.[1] ?? body?.model;
  const answer = answers[url.pathname.endsWith('/responses') ? 'responses' : 'chat'][named];
  if (!answer) return send(404, 'application/json', JSON.stringify({ error: { code: 'DeploymentNotFound', message: `no ${named}` } }));
  send(200, answer.type, answer.body);
});
server.listen(Number(port), '127.0.0.1');
