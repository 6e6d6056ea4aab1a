// Microsoft Entra's part, played by oauth2-mock-server at Entra's own path, and the part of a platform (a cluster, a CI service) whose tokens
// an application may present in place of a secret, played by a second one.
//
//   node entra.mjs SETTINGS
//
// oauth2-mock-server signs, publishes its keys and answers; it knows no applications. What it is told here is which proof of an application
// to turn away, in Entra's words. Proofs are checked with Node's own cryptography.
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { X509Certificate, constants, createHash, createPublicKey, verify } from 'node:crypto';
import { createServer } from 'node:http';
import { OAuth2Server } from 'oauth2-mock-server';

const settings = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const { tenant, client, secret, subject, ports } = settings;
const EXCHANGE = 'api://AzureADTokenExchange';
const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const tokenPath = `/${tenant}/oauth2/v2.0/token`;

const certificate = new X509Certificate(readFileSync(settings.certificate));
const thumbprint = createHash('sha256').update(certificate.raw).digest('base64url');

const platform = new OAuth2Server();
const entra = new OAuth2Server(undefined, undefined, { endpoints: { token: tokenPath } });

function parse(token) {
  const [head, claims, signature, ...more] = token.split('.');
  if (!signature || more.length) throw new Error('no JSON web token');
  const json = (part) => JSON.parse(Buffer.from(part, 'base64url').toString());
  return { head: json(head), claims: json(claims), signed: Buffer.from(`${head}.${claims}`), signature: Buffer.from(signature, 'base64url') };
}

function must(holds, why) {
  if (!holds) throw new Error(why);
}

function mustLive({ exp, nbf }) {
  const now = Date.now() / 1000;
  must(exp > now && (nbf === undefined || nbf <= now + 5), 'it does not hold now');
}

// A token of the platform, for the application's subject.
function mustBeFederated(token) {
  const { head, claims, signed, signature } = parse(token);
  const jwk = platform.issuer.keys.toJSON().find((k) => k.kid === head.kid);
  must(jwk && head.alg === 'RS256' && verify('sha256', signed, createPublicKey({ key: jwk, format: 'jwk' }), signature), 'bad signature');
  mustLive(claims);
  must(claims.iss === platform.issuer.url && claims.aud === EXCHANGE, 'another issuer or audience');
  must(claims.sub === subject, 'AADSTS700213: No matching federated identity record found for presented assertion subject');
}

// What the application signed itself.
function mustBeCertified(token) {
  const { head, claims, signed, signature } = parse(token);
  const key = { key: certificate.publicKey };
  if (head.alg === 'PS256') Object.assign(key, { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST });
  else must(head.alg === 'RS256', `unknown algorithm ${head.alg}`);
  must(verify('sha256', signed, key, signature), 'bad signature');
  must(head['x5t#S256'] === thumbprint, 'another certificate');
  mustLive(claims);
  must(claims.exp - Date.now() / 1000 <= 600, 'it holds for longer than ten minutes');
  must(claims.iss === client && claims.sub === client && claims.jti, 'another application');
  must(claims.aud === `http://127.0.0.1:${ports.entra}${tokenPath}`, `another audience: ${claims.aud}`);
  return head.alg.toLowerCase();
}

function proof(form) {
  must(form.grant_type === 'client_credentials' && form.client_id === client, 'AADSTS700016: no such application');
  if (form.client_secret !== undefined) {
    must(form.client_secret === secret, "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent is the client secret value");
    return 'client-secret';
  }
  must(form.client_assertion_type === JWT_BEARER && form.client_assertion, 'AADSTS7000216: no proof');
  if (parse(form.client_assertion).claims.iss === client) return `certificate-${mustBeCertified(form.client_assertion)}`;
  mustBeFederated(form.client_assertion);
  return 'federated';
}

entra.service.on('beforeTokenSigning', ({ payload }, { body }) => {
  // Entra's tokens have no scope of this form and name application and audience.
  Object.assign(payload, { appid: body.client_id, aud: String(body.scope).replace(/\/\.default$/, '') });
});
entra.service.on('beforeResponse', (response, { body }) => {
  let outcome;
  try {
    outcome = proof(body);
    appendFileSync(settings.issued, response.body.access_token + '\n');
  } catch (e) {
    outcome = `refused: ${e.message}`;
    response.statusCode = 401;
    response.body = { error: 'invalid_client', error_description: `${e.message} Trace ID: 00000000 Correlation ID: 00000000` };
  }
  const { scope } = body;
  appendFileSync(settings.record, JSON.stringify({ outcome, scope, fields: Object.keys(body).sort() }) + '\n');
});

await entra.issuer.keys.generate('RS256');
await platform.issuer.keys.generate('RS256');
await platform.start(ports.platform, '127.0.0.1');

const federated = (sub, aud) =>
  platform.issuer.buildToken({ expiresIn: 600, scopesOrTransform: (_, claims) => Object.assign(claims, { sub, aud }) });
writeFileSync(settings.tokenFile, await federated(subject, EXCHANGE));
writeFileSync(settings.strangerFile, await federated('system:serviceaccount:desk:stranger', EXCHANGE));

// The request of a job for its own token, as GitHub answers it.
createServer(async (request, reply) => {
  const wanted = new URL(request.url, 'http://platform').searchParams.get('audience');
  if (request.headers.authorization !== `Bearer ${settings.jobToken}`) return reply.writeHead(401).end();
  reply.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ value: await federated(subject, wanted) }));
}).listen(ports.job, '127.0.0.1');

// Last, because who waits for it may then ask all of them.
await entra.start(ports.entra, '127.0.0.1');
